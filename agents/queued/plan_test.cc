#include "agents/queued/plan.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::queued;
using queue::Phase;

namespace {

const WallTime arrival{std::chrono::seconds(1'700'000'000)};

smtp::Envelope envelope_to(std::vector<std::string> names) {
  smtp::Envelope envelope;
  envelope.reverse_path.emplace("ann", "alpha.test");
  for (const std::string& name : names) {
    envelope.recipients.emplace_back(smtp::Mailbox(name, "beta.test"));
  }
  return envelope;
}

Patience after(Duration age) {
  Patience patience;
  patience.arrival = arrival;
  patience.now = arrival + std::chrono::duration_cast<std::chrono::microseconds>(age);
  patience.lifetime = std::chrono::hours(120);
  patience.unknown_user_time = std::chrono::hours(1);
  return patience;
}

route::Target target(std::size_t original, const std::string& name) {
  route::Target made;
  made.original = original;
  made.recipient = smtp::Recipient(smtp::Mailbox(name, "beta.test"));
  made.transport = route::Transport::lmtp(async::Endpoint::unix_path("/run/lmtp"));
  return made;
}

route::DeadEnd dead_end(std::size_t original, const std::string& name, smtp::Status status) {
  route::DeadEnd end;
  end.original = original;
  end.recipient = smtp::Recipient(smtp::Mailbox(name, "beta.test"));
  end.status = std::move(status);
  return end;
}

std::string phases(const Plan& plan) {
  std::string letters;
  for (const auto& recipient : plan.state.recipients) letters += static_cast<char>(recipient.phase);
  return letters;
}

}  // namespace

TEST_CASE("take_expansion: targets are pending and know where they go") {
  Plan plan;
  route::Expansion expansion;
  expansion.targets = {target(0, "bob"), target(1, "eve")};
  take_expansion(plan, envelope_to({"bob", "all"}), expansion, after({}));
  CHECK(phases(plan) == "pp");
  CHECK(plan.state.expanded);
  CHECK(plan.transports[0].has_value());
  CHECK(plan.state.recipients[1].original == 1);
}

TEST_CASE("take_expansion: an unknown user is deferred for an hour, then it bounces") {
  const smtp::Envelope envelope = envelope_to({"ghost"});
  route::Expansion expansion;
  expansion.dead_ends = {dead_end(0, "ghost", smtp::Status({5, 1, 1}, "no such user"))};
  Plan plan;
  take_expansion(plan, envelope, expansion, after(std::chrono::minutes(59)));
  CHECK(phases(plan) == "u");
  CHECK(plan.state.recipients[0].last.enhanced.text() == "4.1.1");
  CHECK(to_expand(plan.state) == std::vector<std::size_t>{0});
  take_expansion(plan, envelope, expansion, after(std::chrono::minutes(60)));
  CHECK(phases(plan) == "b");
  CHECK(plan.state.recipients[0].last.enhanced.text() == "5.1.1");
}

TEST_CASE("take_expansion: an unknown user who turns up is delivered to") {
  const smtp::Envelope envelope = envelope_to({"late"});
  route::Expansion unknown;
  unknown.dead_ends = {dead_end(0, "late", smtp::Status({5, 1, 1}, "no such user"))};
  Plan plan;
  take_expansion(plan, envelope, unknown, after({}));
  route::Expansion known;
  known.targets = {target(0, "late")};
  take_expansion(plan, envelope, known, after(std::chrono::minutes(1)));
  CHECK(phases(plan) == "p");
  CHECK(plan.transports[0].has_value());
}

TEST_CASE("take_expansion: members of an alias that were delivered to are not delivered to again") {
  const smtp::Envelope envelope = envelope_to({"all"});
  route::Expansion first;
  first.targets = {target(0, "bob")};
  first.dead_ends = {dead_end(0, "ghost", smtp::Status({5, 1, 1}, "no such user"))};
  Plan plan;
  take_expansion(plan, envelope, first, after({}));
  CHECK(phases(plan) == "pu");
  plan.state.recipients[0].phase = Phase::sent;
  route::Expansion second;
  second.targets = {target(0, "bob"), target(0, "new")};
  take_expansion(plan, envelope, second, after(std::chrono::minutes(1)));
  CHECK(phases(plan) == "sxp");  // ghost is no longer a member
}

TEST_CASE("take_expansion: without an answer a recipient is kept and asked for again") {
  const smtp::Envelope envelope = envelope_to({"bob", "eve"});
  route::Expansion expansion;
  expansion.targets = {target(0, "bob")};
  route::Expansion::Deferred& deferred = expansion.deferred.emplace_back();
  deferred.original = 1;
  deferred.status = smtp::Status({4, 3, 0}, "table away");
  Plan plan;
  take_expansion(plan, envelope, expansion, after({}));
  CHECK(phases(plan) == "pu");
  route::Expansion again;
  again.deferred = expansion.deferred;
  take_expansion(plan, envelope, again, after(std::chrono::minutes(1)));
  CHECK(phases(plan) == "pu");
  route::Expansion answered;
  answered.targets = {target(1, "members")};
  take_expansion(plan, envelope, answered, after(std::chrono::minutes(2)));
  CHECK(phases(plan) == "pxp");
}

TEST_CASE(
    "take_expansion: error: of the transports table bounces, or is asked again if it is 4xx") {
  route::Expansion expansion;
  expansion.dead_ends = {dead_end(0, "bob", smtp::Status({5, 7, 1}, "closed")),
                         dead_end(1, "eve", smtp::Status({4, 7, 1}, "not now"))};
  Plan plan;
  take_expansion(plan, envelope_to({"bob", "eve"}), expansion, after({}));
  CHECK(phases(plan) == "bu");
}

TEST_CASE("take_status: 2xx is sent, 4xx stays, 5xx bounces") {
  const smtp::ReversePath sender(std::in_place, "ann", "alpha.test");
  queue::RecipientState recipient(smtp::Recipient(smtp::Mailbox("bob", "beta.test")));
  take_status(recipient, smtp::Status({4, 2, 0}, "later"), false, sender, arrival);
  CHECK(recipient.phase == Phase::pending);
  take_status(recipient, smtp::Status({5, 2, 0}, "never"), false, sender, arrival);
  CHECK(recipient.phase == Phase::bounced);
  take_status(recipient, smtp::Status({2, 0, 0}, "ok"), true, sender, arrival);
  CHECK(recipient.phase == Phase::sent);
}

TEST_CASE("take_status: NOTIFY=SUCCESS is our duty only if the agent has no DSN") {
  const smtp::ReversePath sender(std::in_place, "ann", "alpha.test");
  queue::RecipientState recipient(smtp::Recipient(smtp::Mailbox("bob", "beta.test")));
  recipient.recipient.notify = smtp::Notify(smtp::Notify::success);
  take_status(recipient, smtp::Status({2, 0, 0}, "ok"), false, sender, arrival);
  CHECK(recipient.phase == Phase::sent);
  take_status(recipient, smtp::Status({2, 0, 0}, "ok"), true, sender, arrival);
  CHECK(recipient.phase == Phase::sent_owed);
}

TEST_CASE("take_status: NOTIFY=NEVER bounces in silence; a null sender's goes to the postmaster") {
  queue::RecipientState recipient(smtp::Recipient(smtp::Mailbox("bob", "beta.test")));
  recipient.recipient.notify = smtp::Notify(smtp::Notify::never);
  const smtp::ReversePath sender(std::in_place, "ann", "alpha.test");
  take_status(recipient, smtp::Status({5, 0, 0}, "no"), false, sender, arrival);
  CHECK(recipient.phase == Phase::reported);
  queue::RecipientState of_null(smtp::Recipient(smtp::Mailbox("bob", "beta.test")));
  of_null.recipient.notify = smtp::Notify(smtp::Notify::never);  // as our own reports have it
  take_status(of_null, smtp::Status({5, 0, 0}, "no"), false, smtp::ReversePath(), arrival);
  CHECK(of_null.phase == Phase::bounced);
  queue::RecipientState postmaster(smtp::Recipient(smtp::Mailbox("Postmaster", "beta.test")));
  take_status(postmaster, smtp::Status({5, 0, 0}, "no"), false, smtp::ReversePath(), arrival);
  CHECK(postmaster.phase == Phase::reported);
}

TEST_CASE("give_up: what is open fails with the last words of the other side") {
  Plan plan;
  route::Expansion expansion;
  expansion.targets = {target(0, "bob"), target(1, "eve")};
  take_expansion(plan, envelope_to({"bob", "eve"}), expansion, after({}));
  plan.state.recipients[0].phase = Phase::sent;
  plan.state.recipients[1].last = smtp::Status({4, 2, 2}, "mailbox full", "mx");
  give_up(plan.state, after(std::chrono::hours(200)), smtp::ReversePath(std::in_place, "ann", "x"));
  CHECK(phases(plan) == "sb");
  CHECK(plan.state.recipients[1].last.enhanced.text() == "4.4.7");
  CHECK(plan.state.recipients[1].last.text.find("mailbox full") != std::string::npos);
  CHECK(plan.state.recipients[1].last.remote_mta == "mx");
}
