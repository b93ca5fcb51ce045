#include "agents/nslook/look_up.h"

#include <algorithm>

#include "libdns/wire/address.h"
#include "libmail/base/text.h"
#include "libmail/smtp/address.h"

namespace posthorn::nslook {

bool Asked::is_found() const {
  if (!reply || reply->rcode() != dns::Rcode::noerror) return false;
  const dns::MessageView view = reply->view();
  return std::ranges::any_of(view.answer(), [this](const dns::RecordView& record) {
    return question.type == dns::Type::any || record.type == question.type;
  });
}

bool LookUp::is_found() const {
  return std::ranges::any_of(asked, [](const Asked& one) { return one.is_found(); });
}

bool LookUp::is_answered() const {
  return std::ranges::any_of(asked, [](const Asked& one) { return one.reply.has_value(); });
}

namespace {

// The search list before or behind the name itself (resolv.conf(5), ndots).
void add_searched(const Settings& settings, const dns::Name& name, std::vector<dns::Name>& names) {
  const bool is_short = name.label_count() <= settings.ndots;
  if (!is_short) names.push_back(name);
  for (const std::string& domain : settings.search) {
    const auto suffix = dns::Name::parse(domain);
    if (!suffix) continue;
    const auto whole = dns::Name::parse(name.text() + "." + suffix->text());
    if (whole) names.push_back(*whole);
  }
  if (is_short) names.push_back(name);
}

}  // namespace

Result<Candidates, std::string> candidates(const Settings& settings, std::string_view text) {
  Candidates result;
  if (const auto reverse = dns::reverse_name(text)) {
    const bool as_name = !settings.types.empty() && settings.types != std::vector{dns::Type::ptr};
    if (!as_name || text.find(':') != std::string_view::npos) {
      result.names = {*reverse};
      result.is_reverse = true;
      return result;
    }
  }
  const std::string ascii = is_ascii(text) ? std::string(text) : smtp::canonical_domain(text);
  const auto name = dns::Name::parse(ascii);
  if (!name) {
    return fail("\"" + printable(text) + "\" is no name: " + std::string(to_string(name.error())));
  }
  const bool is_absolute = text.ends_with('.') || name->is_root();
  if (is_absolute || !settings.use_search) {
    result.names = {*name};
  } else {
    add_searched(settings, *name, result.names);
  }
  return result;
}

async::Task<Result<Reply, Failure>> ask_servers(Asker& asker, const Settings& settings,
                                                dns::Question question) {
  Failure none;
  none.kind = Failure::Kind::network;
  none.text = "there is no server to ask (--server HOST, or /etc/resolv.conf)";
  Result<Reply, Failure> result = fail(std::move(none));
  for (std::size_t i = 0; i < settings.servers.size(); ++i) {
    Place place = settings.servers[i];
    Manner manner = settings.manner;
    auto reply = co_await asker.ask(std::move(place), question, std::move(manner));
    result = std::move(reply);
    if (!result) continue;
    const dns::Rcode rcode = result->rcode();
    if (settings.fail || rcode == dns::Rcode::noerror || rcode == dns::Rcode::nxdomain) break;
  }
  co_return result;
}

namespace {

// One name, all types. True if it is no use to try the next name.
async::Task<bool> ask_types(Asker& asker, const Settings& settings, dns::Name name,
                            std::vector<dns::Type> types, LookUp& result) {
  result.asked.clear();
  bool ends = false;
  for (const dns::Type type : types) {
    dns::Question question(name, type, settings.klass);
    auto reply = co_await ask_servers(asker, settings, question);
    const bool is_nxdomain = reply && reply->rcode() == dns::Rcode::nxdomain;
    const bool is_silent = !reply;
    result.asked.emplace_back(std::move(question), std::move(reply));
    if (is_silent) co_return true;
    ends = ends || result.asked.back().is_found();
    // No such name: the other types needn't be asked.
    if (is_nxdomain) break;
  }
  co_return ends;
}

}  // namespace

async::Task<LookUp> look_up(Asker& asker, const Settings& settings, std::string text) {
  LookUp result;
  result.given = text;
  const auto names = candidates(settings, text);
  if (!names) {
    result.fault = names.error();
    co_return result;
  }
  std::vector<dns::Type> types = settings.types;
  if (names->is_reverse) types = {dns::Type::ptr};
  if (types.empty()) types = {dns::Type::a, dns::Type::aaaa};
  for (const dns::Name& name : names->names) {
    const bool ends = co_await ask_types(asker, settings, name, types, result);
    if (ends) break;
  }
  co_return result;
}

async::Task<Result<std::vector<Place>, std::string>> find_place(Asker& asker,
                                                                const Settings& settings,
                                                                Place place) {
  if (place.has_address()) co_return std::vector<Place>{place};
  const std::string host = place.name;
  std::vector<Place> places;
  if (iequals(host, "localhost")) {
    places.emplace_back(host, async::Endpoint::inet("127.0.0.1", place.at.port));
    co_return places;
  }
  Settings plain = settings;
  plain.types.clear();
  plain.klass = dns::Class::in;
  const LookUp found = co_await look_up(asker, plain, host);
  for (const Asked& asked : found.asked) {
    if (!asked.reply) continue;
    const dns::MessageView view = asked.reply->view();
    for (const dns::RecordView& record : view.answer()) {
      const dns::Rdata data = record.data();
      std::string address;
      if (const auto* a = std::get_if<dns::A>(&data)) address = a->text();
      if (const auto* aaaa = std::get_if<dns::Aaaa>(&data)) address = aaaa->text();
      if (address.empty()) continue;
      places.emplace_back(host, async::Endpoint::inet(address, place.at.port));
    }
  }
  if (places.empty()) co_return fail("couldn't find an address of the server " + printable(host));
  co_return places;
}

}  // namespace posthorn::nslook
