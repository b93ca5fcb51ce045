// What is read in place must be what the parser reads.
#include "libdns/server/query.h"
#include "libmail/base/result.h"

using namespace posthorn;
using namespace posthorn::dns;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  Query query;
  read_query(octets, query);
  if (query.form != Query::Form::plain) return 0;
  const auto view = MessageView::parse(octets);
  check(view.has_value(), "a plain question is a well-formed message");
  check(view->questions().size() == 1 && view->questions()[0].name.name() == query.name(),
        "the same name");
  check(view->questions()[0].type == query.type && view->questions()[0].klass == query.klass,
        "the same type and class");
  check(query.name().folded().wire() == query.folded_name(), "the name folded");
  check(view->header().id == query.id, "the same id");
  check(view->edns().has_value() == query.edns, "EDNS or none");
  if (query.edns) {
    check(view->edns()->dnssec_ok == query.dnssec_ok, "the same DO");
    check(view->edns()->version == query.edns_version, "the same version");
  }
  return 0;
}
