// `ls` and `help`.
#include <fmt/format.h>

#include "agents/nslook/dialogue.h"
#include "libmail/base/text.h"
#include "libmail/service/tool.h"

namespace posthorn::nslook {

Result<Listing, std::string> parse_listing(const std::vector<std::string>& words) {
  Listing listing;
  listing.types = {dns::Type::a, dns::Type::aaaa, dns::Type::ns};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-a") {
      listing.types = {dns::Type::cname};
    } else if (word == "-d") {
      listing.types.clear();
    } else if (word == "-h") {
      listing.types = {dns::Type::hinfo};
    } else if (word == "-m") {
      listing.types = {dns::Type::mx};
    } else if (word == "-t") {
      const auto type = dns::parse_type(i + 1 < words.size() ? words[i + 1] : "");
      if (!type) return fail(std::string("-t takes a type: ls -t MX example.org"));
      listing.types = {*type};
      if (*type == dns::Type::any) listing.types.clear();
      ++i;
    } else if (word.starts_with('-')) {
      return fail("ls knows -a, -d, -h, -m and -t TYPE, not " + printable(word));
    } else if (!listing.zone.empty()) {
      return fail(std::string("ls takes one zone"));
    } else {
      listing.zone = word;
    }
  }
  if (listing.zone.empty()) return fail(std::string("ls takes the name of a zone"));
  return listing;
}

std::string show_listing(const std::vector<dns::Record>& records) {
  std::vector<std::vector<std::string>> rows;
  for (const dns::Record& record : records) {
    rows.push_back({" " + record.owner.text(), std::to_string(record.ttl),
                    dns::to_string(record.type()), dns::to_text(record.data)});
  }
  return service::format_columns(rows);
}

std::string_view help_text() {
  return R"(NAME              look NAME up; an address is looked up the other way round
NAME SERVER       the same, asking SERVER
server NAME       ask NAME from now on; its address is asked of the present server
lserver NAME      the same; its address is asked of the first server
root              ask a server of the root from now on
ls [OPTION] ZONE  list a zone: addresses; -a aliases, -d all, -m MX, -t TYPE
view FILE         show a listing that was written to FILE, sorted
trace NAME        ask from the root down, and show each step
dnssec NAME       explain the chain of signatures
mail DOMAIN       look at all that DOMAIN says about its mail
set all           show the settings
set type=TYPE     what is asked for (also querytype=)
set class=CLASS   IN, CH or ANY
set port=PORT     where servers listen
set timeout=SECONDS, retry=NUMBER, ndots=NUMBER
set domain=NAME, srchlist=NAME/NAME   what is put behind short names
set root=HOST     where `root` and `trace` go
set [no]debug, [no]d2     show whole replies, and questions
set [no]recurse   ask the server to ask others
set [no]search    use the search list
set [no]vc        ask by TCP
set [no]dnssec    ask for signatures, too
set [no]cdflag    ask the server not to validate
set [no]fail      take SERVFAIL for an answer; else ask the next server
set [no]short     show data only
COMMAND > FILE    write it to FILE (>> adds to it)
exit              end
)";
}

}  // namespace posthorn::nslook
