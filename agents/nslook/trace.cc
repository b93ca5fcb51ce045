#include "agents/nslook/trace.h"

#include <fmt/format.h>

#include <algorithm>

namespace posthorn::nslook {

namespace {

constexpr std::size_t max_steps = 100;  // in all
constexpr int max_depth = 3;            // name servers of name servers
constexpr std::size_t max_aliases = 8;
constexpr std::size_t max_servers = 13;

// Where a referral leads.
struct Delegation {
  dns::Name zone;
  std::vector<dns::Name> hosts;
  std::vector<Place> servers;  // with glue
};

struct Way {
  Asker& asker;
  const TraceSettings& settings;
  Trace& trace;
};

Place place_of(const dns::Name& host, const std::string& address, std::uint16_t port) {
  return Place(host.text(), async::Endpoint::inet(address, port));
}

// NS of a zone between `above` and the name asked for; glue counts only below `above` (it is the
// authority for nothing else).
std::optional<Delegation> read_referral(const dns::MessageView& view, const dns::Name& above,
                                        const dns::Name& asked, std::uint16_t port) {
  Delegation delegation;
  for (const dns::RecordView& record : view.authority()) {
    if (record.type != dns::Type::ns) continue;
    const dns::Name owner = record.owner.name();
    const bool below = owner.is_at_or_below(above) && !(owner == above);
    if (!below || !asked.is_at_or_below(owner)) continue;
    if (!delegation.hosts.empty() && !(owner == delegation.zone)) continue;
    delegation.zone = owner;
    delegation.hosts.push_back(std::get<dns::Ns>(record.data()).host);
  }
  if (delegation.hosts.empty()) return std::nullopt;
  for (const dns::RecordView& record : view.additional()) {
    const dns::Name owner = record.owner.name();
    const bool is_host = std::ranges::find(delegation.hosts, owner) != delegation.hosts.end();
    if (!is_host || !owner.is_at_or_below(above)) continue;
    const dns::Rdata data = record.data();
    std::string address;
    if (const auto* a = std::get_if<dns::A>(&data)) address = a->text();
    if (const auto* aaaa = std::get_if<dns::Aaaa>(&data)) address = aaaa->text();
    if (!address.empty()) delegation.servers.push_back(place_of(owner, address, port));
  }
  // IPv4 first: it is there everywhere.
  const auto is_v6 = [](const Place& one) { return one.at.host.find(':') != std::string::npos; };
  std::vector<Place> sixes;
  std::ranges::copy_if(delegation.servers, std::back_inserter(sixes), is_v6);
  std::erase_if(delegation.servers, is_v6);
  delegation.servers.insert(delegation.servers.end(), sixes.begin(), sixes.end());
  if (delegation.servers.size() > max_servers) delegation.servers.resize(max_servers);
  return delegation;
}

std::string referral_text(const Delegation& delegation, const dns::MessageView& view) {
  const bool has_ds = std::ranges::any_of(
      view.authority(), [](const dns::RecordView& one) { return one.type == dns::Type::ds; });
  return fmt::format("referral to {}, {} name servers{}{}", shown(delegation.zone),
                     delegation.hosts.size(), delegation.servers.empty() ? ", no glue" : "",
                     has_ds ? ", signed" : "");
}

// What the reply is, seen from a server of `step.zone`.
void classify(const dns::MessageView& view, const dns::Question& question, Step& step) {
  const auto has = [&](dns::Type type) {
    return std::ranges::any_of(view.answer(), [&](const dns::RecordView& record) {
      return record.owner == question.name && (record.type == type || type == dns::Type::any);
    });
  };
  const dns::Rcode rcode = view.rcode();
  if (rcode == dns::Rcode::nxdomain) {
    step.kind = Step::Kind::nxdomain;
    step.text = "there is no such name";
  } else if (rcode != dns::Rcode::noerror) {
    step.kind = Step::Kind::lame;
    step.text = dns::to_string(rcode);
  } else if (has(question.type)) {
    step.kind = Step::Kind::answer;
    step.text = "answer";
  } else if (has(dns::Type::cname)) {
    step.kind = Step::Kind::alias;
    step.text = "alias";
  } else if (view.header().authoritative) {
    step.kind = Step::Kind::nodata;
    step.text = "the name has no such record";
  } else {
    step.kind = Step::Kind::lame;
    step.text = "neither an answer nor a referral: lame";
  }
}

std::optional<dns::Name> alias_target(const Reply& reply, const dns::Name& name) {
  const dns::MessageView view = reply.view();
  for (const dns::RecordView& record : view.answer()) {
    if (record.type != dns::Type::cname || !(record.owner == name)) continue;
    return std::get<dns::Cname>(record.data()).target;
  }
  return std::nullopt;
}

struct Asking {
  dns::Question question;
  dns::Name zone;
  std::vector<Place> servers;
  int depth = 0;
  Asking(dns::Question q, std::vector<Place> at, int d)
      : question(std::move(q)), servers(std::move(at)), depth(d) {}
};

// Asks the servers of one zone in order. Gives the step that leads on; steps that don't are kept,
// too.
async::Task<std::optional<Step>> ask_zone(Way& way, const Asking& asking,
                                          std::optional<Delegation>& next) {
  for (std::size_t i = 0; i < asking.servers.size(); ++i) {
    if (way.trace.steps.size() >= max_steps) break;
    Step step;
    step.zone = asking.zone;
    step.server = asking.servers[i];
    step.depth = asking.depth;
    Manner manner = way.settings.manner;
    manner.recurse = false;
    dns::Question question = asking.question;
    Place server = asking.servers[i];
    auto reply = co_await way.asker.ask(std::move(server), std::move(question), std::move(manner));
    if (!reply) {
      step.text = reply.error().text;
      way.trace.steps.push_back(std::move(step));
      continue;
    }
    step.reply = std::move(*reply);
    const dns::MessageView view = step.reply->view();
    next.reset();
    if (view.rcode() == dns::Rcode::noerror && view.answer().empty()) {
      next = read_referral(view, asking.zone, asking.question.name, way.settings.authority_port);
    }
    if (next) {
      step.kind = Step::Kind::referral;
      step.text = referral_text(*next, view);
    } else {
      classify(view, asking.question, step);
    }
    way.trace.steps.push_back(step);
    if (step.kind != Step::Kind::lame) co_return step;
  }
  co_return std::nullopt;
}

async::Task<std::optional<Step>> descend(Way& way, Asking asking);

// Addresses of name servers without glue, by a way of their own. The first that has any is enough.
async::Task<void> find_addresses(Way& way, Delegation& delegation, int depth) {
  if (depth >= max_depth) co_return;
  for (const dns::Name& host : delegation.hosts) {
    dns::Question question(host, dns::Type::a);
    Asking asking(std::move(question), way.settings.roots, depth + 1);
    const auto last = co_await descend(way, std::move(asking));
    if (!last || last->kind != Step::Kind::answer) continue;
    const dns::MessageView view = last->reply->view();
    for (const dns::RecordView& record : view.answer()) {
      if (record.type != dns::Type::a) continue;
      const std::string address = std::get<dns::A>(record.data()).text();
      delegation.servers.push_back(place_of(host, address, way.settings.authority_port));
    }
    if (!delegation.servers.empty()) co_return;
  }
}

async::Task<std::optional<Step>> descend(Way& way, Asking asking) {
  for (;;) {
    std::optional<Delegation> next;
    auto step = co_await ask_zone(way, asking, next);
    if (!step || !next) co_return step;
    if (next->servers.empty()) co_await find_addresses(way, *next, asking.depth);
    if (next->servers.empty()) co_return std::nullopt;
    asking.zone = next->zone;
    asking.servers = std::move(next->servers);
  }
}

void conclude(const Step& step, Trace& trace) {
  trace.is_answered = true;
  trace.is_found = step.kind == Step::Kind::answer;
  trace.outcome = step.kind == Step::Kind::answer     ? "answer"
                  : step.kind == Step::Kind::nxdomain ? "nxdomain"
                                                      : "nodata";
}

std::string_view kind_text(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::referral:
      return "referral";
    case Step::Kind::answer:
      return "answer";
    case Step::Kind::alias:
      return "alias";
    case Step::Kind::nodata:
      return "nodata";
    case Step::Kind::nxdomain:
      return "nxdomain";
    case Step::Kind::silent:
      return "silent";
    case Step::Kind::lame:
      return "lame";
  }
  return "";
}

}  // namespace

async::Task<Trace> trace(Asker& asker, dns::Question question, TraceSettings settings) {
  Trace result;
  result.question = question;
  Way way{asker, settings, result};
  for (std::size_t aliases = 0; aliases <= max_aliases; ++aliases) {
    Asking asking(question, settings.roots, 0);
    const auto last = co_await descend(way, std::move(asking));
    if (!last) {
      result.outcome = "nobody who should know answers";
      co_return result;
    }
    const auto target =
        last->kind == Step::Kind::alias ? alias_target(*last->reply, question.name) : std::nullopt;
    if (!target) {
      conclude(*last, result);
      co_return result;
    }
    question.name = *target;
  }
  result.outcome = "too many aliases";
  co_return result;
}

std::string show(const Trace& trace) {
  std::string text;
  for (const Step& step : trace.steps) {
    const std::string indent(static_cast<std::size_t>(step.depth) * 4, ' ');
    const std::string time = step.reply ? fmt::format("{} ms", step.reply->time.count()) : "-";
    text += fmt::format("{}{:<24} {} ({})  {}  {}\n", indent, shown(step.zone),
                        step.server.address_text(), step.server.name, time, step.text);
    const bool tells = step.kind == Step::Kind::answer || step.kind == Step::Kind::alias;
    if (!tells) continue;
    const dns::MessageView view = step.reply->view();
    for (const dns::RecordView& record : view.answer()) {
      text += indent + "    " + record.record().text() + "\n";
    }
  }
  if (!trace.is_answered) text += "** " + trace.outcome + "\n";
  return text;
}

Json to_json(const Trace& trace) {
  Json steps = Json::array();
  for (const Step& step : trace.steps) {
    Json one = {{"zone", shown(step.zone)},
                {"server",
                 {{"name", step.server.name},
                  {"address", step.server.at.host},
                  {"port", step.server.at.port}}},
                {"kind", kind_text(step.kind)},
                {"text", step.text},
                {"depth", step.depth}};
    if (step.reply) one["milliseconds"] = step.reply->time.count();
    if (step.reply) one["reply"] = to_json(*step.reply);
    steps.push_back(std::move(one));
  }
  return {{"version", 1},
          {"name", shown(trace.question.name)},
          {"type", dns::to_string(trace.question.type)},
          {"outcome", trace.outcome},
          {"steps", std::move(steps)}};
}

}  // namespace posthorn::nslook
