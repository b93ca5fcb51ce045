#include "agents/mua/autoconfig.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "agents/mua/http.h"
#include "agents/mua/output.h"
#include "libdns/stub/resolver.h"
#include "libmail/async/files.h"
#include "libmail/async/scope.h"
#include "libmail/base/text.h"
#include "libmail/smtp/address.h"

namespace posthorn::mua {

using async::Deadline;
using async::Task;

namespace {

// The text between <name ...> and </name>, and what stands in the opening tag. Nothing if there is none.
struct Element {
  std::string_view attributes;
  std::string_view content;
  std::size_t end = 0;  // behind it
};
std::optional<Element> find_element(std::string_view xml, std::string_view name,
                                    std::size_t from = 0) {
  const std::string open = "<" + std::string(name);
  const std::string close = "</" + std::string(name) + ">";
  for (;;) {
    const auto begin = xml.find(open, from);
    if (begin == std::string_view::npos) return std::nullopt;
    const auto behind_name = begin + open.size();
    const auto tag_end = xml.find('>', begin);
    if (tag_end == std::string_view::npos) return std::nullopt;
    from = behind_name;
    const char next = xml[behind_name];
    if (next != '>' && !is_space(next) && next != '\n' && next != '\r') continue;
    const auto end = xml.find(close, tag_end);
    if (end == std::string_view::npos) return std::nullopt;
    Element element;
    element.attributes = xml.substr(behind_name, tag_end - behind_name);
    element.content = xml.substr(tag_end + 1, end - tag_end - 1);
    element.end = end + close.size();
    return element;
  }
}

std::string text_of(std::string_view xml, std::string_view name) {
  const auto element = find_element(xml, name);
  return element ? std::string(trim(element->content)) : "";
}

std::string attribute(std::string_view attributes, std::string_view name) {
  const std::string key = std::string(name) + "=\"";
  const auto at = attributes.find(key);
  if (at == std::string_view::npos) return "";
  const auto end = attributes.find('"', at + key.size());
  return end == std::string_view::npos
             ? ""
             : std::string(attributes.substr(at + key.size(), end - at - key.size()));
}

std::string fill_in(std::string text, const std::string& address) {
  const auto at = std::min(address.rfind('@'), address.size() - 1);
  const std::array<std::pair<std::string_view, std::string>, 3> names = {
      std::pair("%EMAILADDRESS%", address), std::pair("%EMAILLOCALPART%", address.substr(0, at)),
      std::pair("%EMAILDOMAIN%", address.substr(at + 1))};
  for (const auto& [name, value] : names) {
    for (auto place = text.find(name); place != std::string::npos;
         place = text.find(name, place + value.size()))
      text.replace(place, name.size(), value);
  }
  return text;
}

void read_servers(std::string_view xml, std::string_view element_name, const std::string& address,
                  const std::string& source, std::vector<FoundServer>& into) {
  constexpr std::size_t most = 20;
  std::size_t at = 0;
  while (into.size() < most) {
    const auto element = find_element(xml, element_name, at);
    if (!element) return;
    at = element->end;
    const std::string type = lower(attribute(element->attributes, "type"));
    const std::string socket = upper(text_of(element->content, "socketType"));
    FoundServer server;
    server.protocol = type == "smtp" ? "submission" : type;
    server.host = fill_in(text_of(element->content, "hostname"), address);
    server.port = parse_number<std::uint16_t>(text_of(element->content, "port")).value_or(0);
    server.user = fill_in(text_of(element->content, "username"), address);
    server.source = source;
    server.preference = static_cast<std::uint16_t>(into.size());
    const bool known =
        server.protocol == "imap" || server.protocol == "pop3" || server.protocol == "submission";
    const bool secure = socket == "SSL" || socket == "STARTTLS";
    server.tls = socket == "STARTTLS" ? TlsMode::starttls : TlsMode::implicit;
    // What comes from there is shown, and goes into a file.
    const bool clean = shown(server.user) == server.user;
    if (known && secure && clean && server.port != 0 &&
        smtp::is_domain(server.host, smtp::Utf8::refused))
      into.push_back(std::move(server));
  }
}

struct Service {
  const char* name;
  const char* protocol;
  TlsMode tls;
};
constexpr std::array<Service, 6> services{{{"_imaps", "imap", TlsMode::implicit},
                                           {"_imap", "imap", TlsMode::starttls},
                                           {"_pop3s", "pop3", TlsMode::implicit},
                                           {"_pop3", "pop3", TlsMode::starttls},
                                           {"_submissions", "submission", TlsMode::implicit},
                                           {"_submission", "submission", TlsMode::starttls}}};

Task<void> ask_srv(dns::Resolver& resolver, Service service, std::string domain, Deadline deadline,
                   Discovery& into) {
  const std::string text = std::string(service.name) + "._tcp." + domain;
  auto name = dns::Name::parse(text);
  if (!name) co_return;
  dns::Name asked = *name;
  const auto answer = co_await resolver.ask(std::move(asked), dns::Type::srv, deadline);
  bool found = false;
  for (const dns::Record& record : answer.records) {
    const auto* srv = std::get_if<dns::Srv>(&record.data);
    if (srv == nullptr || srv->target.text() == ".")
      continue;  // ".": the service is not offered (RFC 2782)
    FoundServer server;
    server.protocol = service.protocol;
    server.host = lower(srv->target.text());
    if (!smtp::is_domain(server.host, smtp::Utf8::refused)) continue;
    server.port = srv->port;
    server.tls = service.tls;
    server.source = "SRV " + text;
    server.preference = srv->priority;
    into.servers.push_back(std::move(server));
    found = true;
  }
  if (!found)
    into.remarks.push_back("SRV " + text + ": " + std::string(dns::to_string(answer.presence)));
}

Task<void> ask_autoconfig(std::string url, std::string address, std::string ca_file,
                          Duration timeout, Discovery& into) {
  HttpRequest request;
  request.url = url;
  request.ca_file = std::move(ca_file);
  request.timeout = timeout;
  auto work = [&request] { return fetch_http(request); };
  const auto reply = co_await async::blocking(std::move(work));
  if (!reply) {
    into.remarks.push_back(reply.error().text);
    co_return;
  }
  const auto servers = reply->status == 200 ? read_autoconfig(reply->body, address, url)
                                            : std::vector<FoundServer>();
  if (servers.empty())
    into.remarks.push_back(fmt::format("{}: status {}, no server in it", url, reply->status));
  into.servers.insert(into.servers.end(), servers.begin(), servers.end());
}

std::string quoted_toml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string server_lines(const FoundServer& server, std::uint16_t implicit_port,
                         std::uint16_t clear_port) {
  std::string text =
      fmt::format("# {}\nhost = {}\n", printable(server.source), quoted_toml(server.host));
  const bool starttls = server.tls == TlsMode::starttls;
  if (server.port != (starttls ? clear_port : implicit_port))
    text += fmt::format("port = {}\n", server.port);
  if (starttls) text += "tls = \"starttls\"\n";
  return text;
}

}  // namespace

std::vector<FoundServer> read_autoconfig(std::string_view xml, const std::string& address,
                                         const std::string& source) {
  std::vector<FoundServer> servers;
  read_servers(xml, "incomingServer", address, source, servers);
  read_servers(xml, "outgoingServer", address, source, servers);
  return servers;
}

Task<Discovery> find_servers(std::string address, DiscoverOptions options) {
  Discovery found;
  const std::string domain = smtp::canonical_domain(address.substr(address.rfind('@') + 1));
  const Deadline deadline = Deadline::in(options.timeout);
  dns::ResolverOptions resolving = dns::ResolverOptions::from_system();
  if (const auto server = dns::parse_server(options.dns_server))
    resolving = dns::ResolverOptions({*server});
  dns::Resolver resolver(std::move(resolving));
  if (options.urls.empty()) {
    // Not the whole address: the file is the same for everybody at the domain.
    options.urls = {"https://autoconfig." + domain + "/mail/config-v1.1.xml",
                    "https://" + domain + "/.well-known/autoconfig/mail/config-v1.1.xml"};
  }
  async::Scope scope;
  for (const Service& service : services)
    scope.spawn(ask_srv(resolver, service, domain, deadline, found));
  for (const std::string& url : options.urls)
    scope.spawn(ask_autoconfig(url, address, options.ca_file, options.timeout, found));
  co_await scope.join();
  co_return found;
}

const FoundServer* best_server(const std::vector<FoundServer>& servers, std::string_view protocol) {
  const FoundServer* best = nullptr;
  const auto rank = [](const FoundServer& server) {
    return std::tuple(server.tls != TlsMode::implicit, !server.source.starts_with("SRV "),
                      server.preference);
  };
  for (const FoundServer& server : servers) {
    if (server.protocol == protocol && (best == nullptr || rank(server) < rank(*best)))
      best = &server;
  }
  return best;
}

std::string account_toml(const std::string& address, const std::vector<FoundServer>& servers) {
  const auto at = address.rfind('@');
  std::string name = lower(address.substr(at + 1));
  name.resize(std::min(name.find('.'), name.size()));
  if (name.empty() || !std::ranges::all_of(name, [](char c) { return is_alnum(c) || c == '-'; }))
    name = "mail";
  const FoundServer* store = best_server(servers, "imap");
  if (store == nullptr) store = best_server(servers, "pop3");
  const FoundServer* submission = best_server(servers, "submission");
  std::string text = fmt::format("[accounts.{}]\naddress = {}\n", name, quoted_toml(address));
  if (store != nullptr) {
    const bool imap = store->protocol == "imap";
    text += fmt::format("store = \"{}\"\n{}", store->protocol,
                        server_lines(*store, imap ? 993 : 995, imap ? 143 : 110));
    text += fmt::format("user = {}\n", quoted_toml(store->user.empty() ? address : store->user));
    text += fmt::format("password_command = \"pass show mail/{}\"\n", name);
  }
  if (submission != nullptr) {
    text +=
        fmt::format("\n[accounts.{}.submission]\n{}", name, server_lines(*submission, 465, 587));
    if (!submission->user.empty() && (store == nullptr || submission->user != store->user))
      text += fmt::format("user = {}\n", quoted_toml(submission->user));
  }
  return text;
}

}  // namespace posthorn::mua
