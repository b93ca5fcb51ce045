// VRFY, EXPN, and whose address a reverse-path is.
#include <unordered_set>

#include "libmail/base/text.h"
#include "libmail/route/resolver.h"
#include "libmail/smtp/replies.h"

namespace posthorn::route {

namespace {

// Aliases that are followed to find out who owns an address, and how many of them at most.
constexpr std::size_t most_steps = 1000;

const smtp::Reply no_address{553, {5, 1, 3}, "That is no address"};
const smtp::Reply no_list{550, {5, 1, 1}, "That is no mailing list here"};

// "ann", "ann@example.org", "Ann <ann@example.org>", "<ann@example.org>". Without a domain: empty domain.
std::optional<smtp::Mailbox> parse_argument(std::string_view text) {
  text = trim(text);
  const std::size_t open = text.rfind('<');
  if (open != std::string_view::npos && text.ends_with('>')) {
    text = trim(text.substr(open + 1, text.size() - open - 2));
  }
  const bool qualified = text.find('@') != std::string_view::npos;
  auto mailbox = smtp::parse_mailbox(qualified ? std::string(text) : std::string(text) + "@x",
                                     smtp::Utf8::allowed);
  if (!mailbox) return std::nullopt;
  if (!qualified) mailbox->domain.clear();
  return std::move(*mailbox);
}

smtp::Reply found_reply(const smtp::Mailbox& mailbox) {
  const std::string text = smtp::format_path(mailbox);
  // A reply is ASCII unless the client said SMTPUTF8 with the command, which we don't hear here.
  return {250, {2, 1, 5}, is_ascii(text) ? text : std::string("OK")};
}

}  // namespace

async::Task<smtp::Reply> Resolver::vrfy(std::string argument) {
  const std::optional<smtp::Mailbox> mailbox = parse_argument(argument);
  if (!mailbox) co_return no_address;
  std::vector<std::string> domains = {mailbox->domain};
  if (mailbox->domain.empty()) domains = settings_.domains;
  for (std::string& domain : domains) {
    const smtp::Mailbox address(mailbox->local_part, std::move(domain));
    const Verdict verdict = co_await resolve(address);
    if (verdict.is_ours()) co_return found_reply(address);
    if (verdict.kind == Verdict::Kind::remote) co_return smtp::reply::cannot_vrfy;
    if (verdict.kind != Verdict::Kind::unknown_user) co_return verdict.reply();
  }
  co_return smtp::reply::no_such_user;
}

async::Task<smtp::Reply> Resolver::expn(std::string argument) {
  const std::optional<smtp::Mailbox> mailbox = parse_argument(argument);
  if (!mailbox) co_return no_address;
  std::vector<std::string> domains = {mailbox->domain};
  if (mailbox->domain.empty()) domains = settings_.domains;
  for (std::string& domain : domains) {
    smtp::Mailbox address(mailbox->local_part, std::move(domain));
    const Step found = co_await step(std::move(address), false);
    if (found.verdict.kind == Verdict::Kind::unavailable) co_return smtp::reply::try_later;
    if (found.members.empty()) continue;
    smtp::Reply reply(250, {2, 1, 5}, "");
    for (const smtp::Mailbox& member : found.members) {
      const std::string path = smtp::format_path(member);
      if (!is_ascii(path)) continue;
      if (!reply.text.empty()) reply.text += '\n';
      reply.text += path;
    }
    if (reply.text.empty()) reply.text = "OK";
    co_return reply;
  }
  co_return no_list;
}

bool Resolver::is_login(const smtp::Mailbox& mailbox, std::string_view login) const {
  const Name name = name_of(mailbox);
  const std::string who = lower(login);
  const std::size_t at = who.rfind('@');
  if (at == std::string::npos) {
    return domains_.contains(name.domain) && (name.local == who || name.base == who);
  }
  if (smtp::canonical_domain(std::string_view(who).substr(at + 1)) != name.domain) return false;
  const std::string_view local = std::string_view(who).substr(0, at);
  return name.local == local || name.base == local;
}

async::Task<Ownership> Resolver::owns(std::string user, smtp::Mailbox sender) {
  std::vector<smtp::Mailbox> open = {canonical(sender)};
  std::unordered_set<std::string> seen;
  while (!open.empty() && seen.size() < most_steps) {
    const smtp::Mailbox address = canonical(open.back());
    open.pop_back();
    if (!seen.insert(smtp::format_mailbox(address)).second) continue;
    if (is_login(address, user)) co_return Ownership(Ownership::Kind::owner);
    const Step found = co_await step(address, false);
    switch (found.verdict.kind) {
      case Verdict::Kind::unavailable:
        co_return Ownership(Ownership::Kind::unavailable, found.verdict.why);
      case Verdict::Kind::user:
        if (iequals(found.verdict.user, user)) co_return Ownership(Ownership::Kind::owner);
        break;
      case Verdict::Kind::alias:
        open.insert(open.end(), found.members.begin(), found.members.end());
        break;
      default:
        break;
    }
  }
  co_return Ownership(Ownership::Kind::stranger);
}

}  // namespace posthorn::route
