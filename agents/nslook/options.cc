#include "agents/nslook/options.h"

#include "libmail/base/text.h"

namespace posthorn::nslook {

void Flags::describe(service::OptionTable& table) {
  table.group("Question");
  table.add("server", server, "who is asked: HOST, HOST:PORT, unix:PATH").flag_only();
  table.add("type", types, "what is asked for; may be given several times").flag_only();
  table.add("class", klass, "IN, CH or ANY").flag_only();
  table.add("port", port, "where servers given without a port listen").flag_only();
  table.add("tcp", tcp, "ask by TCP").flag_only();
  table.add("dnssec-ok", dnssec_ok, "ask for signatures, too").flag_only();
  table.add("no-recurse", no_recurse, "ask for what the server itself knows").flag_only();
  table.add("no-search", no_search, "take names as they are, without the search list").flag_only();
  table.add("timeout", timeout, "how long one try waits").flag_only();
  table.add("retries", retries, "tries after the first").unit("tries").between(0, 20).flag_only();
  table.add("key", key, "TSIG key for the question, ALGORITHM:NAME:SECRET").flag_only();
  table.group("Output");
  table.add("short", brief, "print data only").flag_only();
  table.add("debug", debug, "print whole replies").flag_only();
  table.add("json", json, "print JSON, errors as JSON on standard error").flag_only();
  table.group("Other work");
  table.add("interactive", interactive, "read commands, as without any NAME").flag_only();
  table.add("trace", trace, "ask from the root down, and show each step").flag_only();
  table.add("root", root, "where --trace begins: HOST, HOST:PORT").flag_only();
  table.add("authority-port", authority_port, "where --trace asks the servers it is sent to")
      .flag_only();
  table.add("dnssec", dnssec, "explain the chain of signatures, link by link").flag_only();
  table.add("trust-anchor", trust_anchor, "file with DS or DNSKEY records where trust begins")
      .flag_only();
  table.group("Mail");
  table.add("mail", mail, "look at all that DOMAIN says about its mail").flag_only();
  table.add("selector", selectors, "a DKIM selector to look at").flag_only();
  table.add("dnsbl", block_lists, "a block list to ask about the addresses").flag_only();
  table.add("address", addresses, "an address that sends mail for DOMAIN").flag_only();
  table.add("https-port", https_port, "where MTA-STS policies are fetched").flag_only();
  table.add("web-authorities", web_authorities, "file of certificates; empty: the machine's")
      .flag_only();
}

OldWords take_old_words(const std::vector<std::string>& arguments) {
  OldWords words;
  for (const std::string& word : arguments) {
    const bool is_old = word.size() > 2 && word[0] == '-' && word[1] != '-';
    if (word == "-") {
      words.interactive = true;
    } else if (is_old && word != "-h") {
      words.sets.push_back(word.substr(1));
    } else if (word.starts_with('@') && word.size() > 1) {
      words.server = word.substr(1);
    } else {
      words.rest.push_back(word);
    }
  }
  return words;
}

namespace {

Result<void, std::string> set_types(Settings& settings, const std::vector<std::string>& types) {
  for (const std::string& texts : types) {
    for (const std::string_view text : split(texts, ',')) {
      const auto type = dns::parse_type(text);
      if (!type) {
        return fail("unknown type \"" + printable(text) + "\"; TYPE99 gives one by number");
      }
      settings.types.push_back(*type);
    }
  }
  return {};
}

}  // namespace

Result<Settings, std::string> make_settings(const Flags& flags,
                                            const std::vector<std::string>& sets) {
  Settings settings;
  settings.manner.timeout = flags.timeout;
  settings.manner.retries = flags.retries;
  settings.manner.tcp = flags.tcp;
  settings.manner.dnssec_ok = flags.dnssec_ok;
  settings.manner.recurse = !flags.no_recurse;
  settings.use_search = !flags.no_search;
  settings.brief = flags.brief;
  settings.debug = flags.debug;
  std::vector<std::string> all = {"class=" + flags.klass};
  if (!flags.port.empty()) all.push_back("port=" + flags.port);
  all.insert(all.end(), sets.begin(), sets.end());
  for (const std::string& word : all) {
    auto done = apply_set(settings, word);
    if (!done) return fail(done.error());
  }
  if (auto done = set_types(settings, flags.types); !done) return fail(done.error());
  if (!flags.key.empty()) {
    auto key = dns::TsigKey::parse(flags.key);
    if (!key) return fail("--key: " + key.error());
    settings.manner.key = std::move(*key);
  }
  return settings;
}

}  // namespace posthorn::nslook
