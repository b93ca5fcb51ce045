#include "agents/imapd/context.h"

#include <catch2/catch.hpp>

#include "agents/imapd/search.h"

namespace posthorn::imapd {
namespace {

using Uids = std::vector<std::uint32_t>;

// What a client makes of the steps (RFC 5267 4.3.3, 4.3.4).
Uids applied(Uids list, const ContextChange& change) {
  for (const ContextChange::Step& step : change.removed) {
    REQUIRE(list.at(step.position - 1) == step.uid);
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(step.position - 1));
  }
  for (const ContextChange::Step& step : change.added)
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(step.position - 1), step.uid);
  return list;
}

TEST_CASE("Contexts: whoever goes through the steps has the new list") {
  const auto [told, now] = GENERATE(table<Uids, Uids>({{{}, {}},
                                                       {{}, {7, 3, 5}},
                                                       {{7, 3, 5}, {}},
                                                       {{7, 3, 5}, {7, 5}},
                                                       {{7, 3, 5}, {9, 7, 8, 3, 5, 1}},
                                                       {{7, 3, 5, 2}, {4, 7, 5, 6}}}));
  const ContextChange change = context_change(told, now);
  CHECK(applied(told, change) == now);
}

TEST_CASE("Contexts: what stays is in no step") {
  const ContextChange change = context_change({7, 3, 5}, {7, 4, 5});
  CHECK(change.removed == std::vector<ContextChange::Step>{{2, 3}});
  CHECK(change.added == std::vector<ContextChange::Step>{{2, 4}});
}

TEST_CASE("SEARCH: dates cost no sizes, sizes no dates, and flags neither") {
  using Key = imap::SearchKey;
  using Kind = Key::Kind;
  const Measures by_date =
      measures_of(Key::all_of({Key::of_flag("\\Seen"), Key::of_date(Kind::since, imap::Date())}));
  CHECK((by_date.date && !by_date.size));
  const Measures by_size = measures_of(Key::inverse(Key::of_number(Kind::larger, 5)));
  CHECK((by_size.size && !by_size.date));
  const Measures by_flag = measures_of(Key::of_flag("\\Seen"));
  CHECK((!by_flag.size && !by_flag.date));
}

}  // namespace
}  // namespace posthorn::imapd
