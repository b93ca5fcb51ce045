#include "agents/imapd/filters.h"

#include <algorithm>

#include "agents/imapd/metadata.h"
#include "libmail/base/text.h"
#include "libmail/message/charset.h"

namespace posthorn::imapd {
namespace {

using Kind = imap::SearchKey::Kind;

// RFC 5466 3.1 asks for three. Filters in a filter that is used twice are put in twice, hence the second bound.
constexpr unsigned most_passes = 5;
constexpr unsigned most_filters = 50;

imap::Dialect filter_dialect() {
  imap::Dialect dialect;
  dialect.utf8 = true;  // whatever the client has enabled: the values are UTF-8
  return dialect;
}

bool has_filter(const imap::SearchKey& key) {
  return key.kind == Kind::filter ||
         std::any_of(key.children.begin(), key.children.end(), has_filter);
}

class Substitution {
 public:
  explicit Substitution(const store::Annotations& all) : all_(all) {}

  // False: the search can't be done.
  bool put_in(imap::SearchKey& key, unsigned pass = 0) {
    if (key.kind != Kind::filter)
      return std::all_of(key.children.begin(), key.children.end(),
                         [&](imap::SearchKey& child) { return put_in(child, pass); });
    const std::string name = key.text;
    if (pass == most_passes) return refuse(name, "leads to itself, or through too many others");
    if (++used_ > most_filters) return refuse(name, "is one too many");
    const std::string* value = value_of(lower(name));
    if (value == nullptr) return refuse(name, "does not exist");
    auto criteria = imap::parse_search_criteria(*value, filter_dialect());
    if (!criteria) return refuse(name, "is no search: " + criteria.error().text());
    key = std::move(*criteria);
    return put_in(key, pass + 1);
  }

  [[nodiscard]] imap::Reply refusal() const {
    return imap::no(imap::ResponseCode("UNDEFINED-FILTER", name_), "the filter " + why_);
  }

 private:
  [[nodiscard]] const std::string* value_of(const std::string& name) const {
    for (const std::string_view root : {"/private/", "/shared/"}) {
      const auto found = all_.find(std::string(root).append(filter_values).append(name));
      if (found != all_.end()) return &found->second;
    }
    return nullptr;
  }
  bool refuse(const std::string& name, std::string why) {
    name_ = name;
    why_ = std::move(why);
    return false;
  }

  const store::Annotations& all_;
  unsigned used_ = 0;
  std::string name_;
  std::string why_;
};

struct Criteria {
  imap::SearchKey* key = nullptr;
  std::string* charset = nullptr;
  bool saves = false;
};

Criteria criteria_of(imap::Command& command) {
  return std::visit(
      [](auto& body) {
        Criteria criteria;
        if constexpr (requires {
                        body.key;
                        body.charset;
                      }) {
          criteria.key = &body.key;
          criteria.charset = &body.charset;
        }
        if constexpr (requires {
                        body.key;
                        body.returns;
                      })
          criteria.saves = body.returns && body.returns->save;
        return criteria;
      },
      command.body);
}

bool implies_utf8(const std::string& charset) {
  return charset.empty() || iequals(charset, "UTF-8") || iequals(charset, "US-ASCII");
}

}  // namespace

bool names_filters(const imap::Command& command) {
  return std::visit(
      [](const auto& body) {
        if constexpr (requires {
                        body.key;
                        body.charset;
                      }) {
          return has_filter(body.key);
        } else {
          return false;
        }
      },
      command.body);
}

async::Task<std::optional<imap::Reply>> put_in_filters(Session& session, imap::Command& command) {
  const Criteria criteria = criteria_of(command);
  // RFC 5182 2.1: a search that fails leaves nothing in "$".
  if (criteria.saves && session.selected() != nullptr) session.selected()->saved.clear();
  if (!implies_utf8(*criteria.charset))
    co_return imap::Reply(imap::Condition::bad,
                          imap::ResponseCode("BADCHARSET", "(US-ASCII UTF-8)"),
                          "filters are UTF-8");
  const auto all = co_await read_metadata(session, std::string());
  if (!all) co_return session.refusal(all.error());
  *criteria.charset = "UTF-8";
  Substitution substitution(*all);
  if (!substitution.put_in(*criteria.key)) co_return substitution.refusal();
  co_return std::nullopt;
}

std::string filter_fault(std::string_view name, std::string_view value) {
  if (!imap::is_filter_name(name)) return "a filter's name is an atom without \"/\"";
  const auto criteria = imap::parse_search_criteria(value, filter_dialect());
  return criteria ? std::string() : "the value is no search: " + criteria.error().text();
}

}  // namespace posthorn::imapd
