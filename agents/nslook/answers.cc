#include "agents/nslook/answers.h"

#include <algorithm>

namespace posthorn::nslook {

std::string Answer::absence_text() const {
  if (presence == Presence::nxdomain) return "there is no such name";
  if (presence == Presence::nodata) return "there is no such record";
  return why;
}

namespace {

constexpr std::size_t max_aliases = 16;

void follow_aliases(const dns::MessageView& view, Answer& answer) {
  for (std::size_t hops = 0; hops < max_aliases; ++hops) {
    const auto is_alias = [&answer](const dns::RecordView& record) {
      return record.type == dns::Type::cname && record.owner == answer.owner;
    };
    const auto alias = std::ranges::find_if(view.answer(), is_alias);
    if (alias == view.answer().end()) return;
    answer.aliases.push_back(answer.owner);
    answer.owner = std::get<dns::Cname>(alias->data()).target;
  }
}

}  // namespace

Answer read_answer(const Result<Reply, Failure>& reply) {
  Answer answer;
  if (!reply) {
    answer.why = reply.error().text;
    return answer;
  }
  const dns::MessageView view = reply->view();
  const dns::Rcode rcode = view.rcode();
  answer.owner = reply->question.name;
  if (rcode != dns::Rcode::noerror && rcode != dns::Rcode::nxdomain) {
    answer.why = reply->server.address_text() + " answered " + dns::to_string(rcode);
    const auto error = view.edns() ? view.edns()->extended_error() : std::nullopt;
    if (error) answer.why += " (" + error->describe() + ")";
    return answer;
  }
  if (reply->question.type != dns::Type::cname) follow_aliases(view, answer);
  for (const dns::RecordView& record : view.answer()) {
    const bool wanted = record.type == reply->question.type && record.owner == answer.owner;
    if (wanted) answer.records.push_back(record.record());
  }
  answer.presence = !answer.records.empty()         ? Presence::found
                    : rcode == dns::Rcode::nxdomain ? Presence::nxdomain
                                                    : Presence::nodata;
  return answer;
}

async::Task<Answer> Answers::ask(dns::Name name, dns::Type type) {
  const std::pair<dns::Name, dns::Type> key(name, type);
  const auto known = known_.find(key);
  if (known != known_.end()) co_return known->second;
  dns::Question question(std::move(name), type);
  const auto reply = co_await ask_servers(asker_, settings_, std::move(question));
  Answer answer = read_answer(reply);
  known_.emplace(key, answer);
  co_return answer;
}

async::Task<std::vector<std::string>> Answers::addresses(dns::Name host) {
  std::vector<std::string> texts;
  const Answer v6 = co_await ask(host, dns::Type::aaaa);
  for (const dns::Aaaa& one : v6.all<dns::Aaaa>()) texts.push_back(one.text());
  const Answer v4 = co_await ask(host, dns::Type::a);
  for (const dns::A& one : v4.all<dns::A>()) texts.push_back(one.text());
  co_return texts;
}

}  // namespace posthorn::nslook
