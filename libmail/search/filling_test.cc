#include "libmail/search/filling.h"

#include "libmail/store/test_maildir.h"

namespace posthorn::search {
namespace {

using namespace store::test;
using Kind = SearchError::Kind;

FillingRules few() {
  FillingRules rules;
  rules.least_messages = 1;
  rules.limits.batch_messages = 3;
  rules.dead_messages = 2;
  return rules;
}

std::size_t fill(const std::shared_ptr<store::OpenMailbox>& box, const FillingRules& rules,
                 Filling::Need need = Filling::Need::wanted) {
  Filling filling(box, need, rules);
  for (std::size_t steps = 1;; ++steps) {
    const auto step = filling.next();
    INFO((step ? "" : step.error().text));
    REQUIRE(step);
    if (step->is_done) return steps;
  }
}

std::string seen(store::OpenMailbox& box) {
  const auto index = open_index(box.directory(), owner_of(box));
  if (!index) return index.error().text;
  return (*index)->known()->seen.text();
}

TEST_CASE("Filling: batch by batch until all is indexed, then what came since") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open();
  for (int i = 0; i < 7; ++i) site.deliver();
  sync(*box);
  CHECK(fill(box, few()) == 3);
  CHECK(seen(*box) == "1:7");
  CHECK(fill(box, few()) == 1);
  site.deliver();
  sync(*box);
  CHECK(fill(box, few(), Filling::Need::kept_up) == 1);
  CHECK(seen(*box) == "1:8");
}

TEST_CASE("Filling: no index is made for few messages, or where nobody searches") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open();
  for (int i = 0; i < 7; ++i) site.deliver();
  sync(*box);
  FillingRules rules = few();
  CHECK(fill(box, rules, Filling::Need::kept_up) == 1);
  CHECK_FALSE(has_index(box->directory()));
  rules.least_messages = 8;
  CHECK(fill(box, rules) == 1);
  CHECK_FALSE(has_index(box->directory()));
}

TEST_CASE("Filling: an index of which most is expunged is made anew") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open();
  for (int i = 0; i < 9; ++i) site.deliver();
  sync(*box);
  fill(box, few());
  const std::vector<std::uint32_t> some = {1, 2, 3, 4, 5};
  REQUIRE(box->expunge(some));
  fill(box, few());
  CHECK(seen(*box) == "6:9");
}

TEST_CASE("Filling: what is too large is looked at and not indexed") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open();
  site.deliver();
  sync(*box);
  FillingRules rules = few();
  rules.file_octets = 4;
  fill(box, rules);
  const auto index = open_index(box->directory(), owner_of(*box));
  REQUIRE(index);
  CHECK((*index)->known()->seen.text() == "1");
  CHECK((*index)->known()->indexed.empty());
}

TEST_CASE("Filling: an index without room for another batch is left as it is") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open();
  site.deliver();
  sync(*box);
  fill(box, few());
  site.deliver();
  sync(*box);
  FillingRules rules = few();
  rules.limits.file_octets = 2 * rules.limits.batch_octets;
  CHECK(fill(box, rules) == 1);
  CHECK(seen(*box) == "1");
}

TEST_CASE("Filling: an index that is damaged is replaced, and a line says so") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open();
  site.deliver();
  sync(*box);
  std::ofstream(box->directory() + "/" + index_name) << std::string(10000, 'x');
  Filling filling(box, Filling::Need::wanted, few());
  const auto step = filling.next();
  REQUIRE(step);
  CHECK_FALSE(step->remark.empty());
  CHECK(seen(*box) == "1");
}

TEST_CASE("Filling: the index goes where its mailbox goes") {
  Site site;
  const std::shared_ptr<store::OpenMailbox> box = site.open(".Old");
  site.deliver(".Old/new");
  sync(*box);
  fill(box, few());
  std::filesystem::rename(site.maildir(".Old"), site.maildir(".New"));
  CHECK(box->directory().ends_with("/.New"));
  CHECK(seen(*box) == "1");
}

}  // namespace
}  // namespace posthorn::search
