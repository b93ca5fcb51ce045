#include "libmail/store/share_list.h"
#include "libmail/store/store.h"
#include "libmail/store/test_maildir.h"

namespace posthorn::store {
namespace {

using namespace test;
using Uids = std::vector<std::uint32_t>;
using Names = std::set<std::string>;

// ann and bob, each with a Maildir of their own; "Public." belongs to nobody.
struct Two {
  Site site;
  std::unique_ptr<Store> ann = account("ann");
  std::unique_ptr<Store> bob = account("bob");

  [[nodiscard]] NamespaceSettings space(const char* directory) const {
    NamespaceSettings space;
    space.location.base = site.path;
    space.location.components = {directory};
    return space;
  }
  [[nodiscard]] std::unique_ptr<Store> account(const char* user) const {
    StoreSettings settings;
    settings.user = user;
    settings.others_prefix = "user.";
    settings.share_list = site.path + "/shares";
    settings.namespaces.push_back(space(user));
    NamespaceSettings shared = space("Public");
    shared.kind = NamespaceSettings::Kind::shared;
    shared.prefix = "Public.";
    settings.namespaces.push_back(shared);
    return std::make_unique<Store>(*site.host, settings);
  }
  // bob learns of ann's mailboxes.
  void introduce() const {
    NamespaceSettings others = space("ann");
    others.kind = NamespaceSettings::Kind::other_users;
    others.prefix = "user.ann.";
    others.owner = "ann";
    bob->add_namespace(others);
  }
  static void give(Store& store, const char* mailbox, const char* identifier, const char* rights) {
    const auto change = [&](Acl& acl) {
      AclEntry entry;
      entry.identifier = identifier;
      entry.rights = Rights::parse(rights);
      acl.set(entry);
    };
    REQUIRE(store.change_acl(mailbox, change));
  }
  static Names names(Store& store) {
    Names names;
    const auto list = store.list(true);
    REQUIRE(list);
    for (const MailboxInfo& info : *list)
      names.insert(info.exists ? info.name : "(" + info.name + ")");
    return names;
  }
};

TEST_CASE("Rights: of another user's mailboxes only those are there that were shared") {
  Two two;
  REQUIRE(two.ann->create("Work"));
  REQUIRE(two.ann->create("Secret"));
  CHECK(two.bob->sharers()->empty());
  Two::give(*two.ann, "Work", "user=bob", "lr");
  CHECK(two.bob->sharers().value() == Names{"ann"});
  CHECK(two.ann->sharers()->empty());
  CHECK(two.bob->open("user.ann.Work").error().kind == StoreError::Kind::not_found);
  two.introduce();
  CHECK(Two::names(*two.bob) == Names{"INBOX", "(user)", "(user.ann)", "user.ann.Work"});
  CHECK(two.bob->rights("user.ann.Work")->letters() == "lr");
  CHECK(two.bob->authorise("user.ann.Work", Right::read).value());
  CHECK_FALSE(two.bob->authorise("user.ann.Work", Right::insert).value());
  for (const char* hidden : {"user.ann.Secret", "user.ann.INBOX", "user.ann.nothing", "user.zoe.x"})
    CHECK(two.bob->authorise(hidden, Right::read).error().kind == StoreError::Kind::not_found);
  Two::give(*two.ann, "Work", "user=bob", "");
  CHECK(two.bob->sharers()->empty());
  CHECK(Two::names(*two.bob) == Names{"INBOX"});
}

TEST_CASE("Rights: an owner keeps l and a, whatever the file says") {
  Two two;
  REQUIRE(two.ann->create("Work"));
  CHECK(two.ann->rights("Work")->letters() == "lrswipkxtea");
  Two::give(*two.ann, "Work", "owner", "r");
  CHECK(two.ann->rights("Work")->letters() == "lra");
  Two::give(*two.ann, "Work", "user=ann", "rw");
  CHECK(two.ann->rights("Work")->letters() == "lrwa");
  CHECK(two.ann->acl("INBOX")->entries().front().identifier == "user=ann");
}

TEST_CASE("Rights: one object of a mailbox serves its owner and whom it is shared with") {
  Two two;
  Two::give(*two.ann, "INBOX", "user=bob", "lrwi");
  two.introduce();
  const auto hers = two.ann->open("INBOX").value();
  const auto his = two.bob->open("user.ann.INBOX").value();
  CHECK(hers == his);
  CHECK(hers != two.bob->open("INBOX").value());
}

TEST_CASE("Rights: making a mailbox takes the right of the one above, and inherits its ACL") {
  Two two;
  Two::give(*two.ann, "INBOX", "user=bob", "lr");
  two.introduce();
  CHECK_FALSE(two.bob->may_create("user.ann.New").value());
  CHECK_FALSE(two.bob->may_create("Public.New").value());
  CHECK(two.bob->may_create("Mine.Below").value());
  Two::give(*two.ann, "INBOX", "user=bob", "lrk");
  CHECK(two.bob->may_create("user.ann.New.Below").value());
  REQUIRE(two.bob->create("user.ann.New"));
  CHECK(two.bob->rights("user.ann.New")->letters() == "lrk");
  Two::give(*two.ann, "New", "user=bob", "l");
  CHECK_FALSE(two.bob->may_create("user.ann.New.Below").value());
  // The owner's INBOX gives nothing away of what she makes herself.
  REQUIRE(two.ann->create("Private"));
  CHECK(two.bob->rights("user.ann.Private")->letters().empty());
}

TEST_CASE("Rights: names of namespaces are nobody's mailboxes") {
  Two two;
  for (const char* name : {"Public", "user", "user.ann", "user.ann.x"})
    CHECK_FALSE(two.bob->create(name));
  two.introduce();
  CHECK_FALSE(two.bob->create("user.ann"));
  CHECK(two.bob->create("users"));
}

TEST_CASE("Rights: what others share can be subscribed, and unsubscribed when it is gone") {
  Two two;
  Two::give(*two.ann, "INBOX", "user=bob", "lr");
  two.introduce();
  REQUIRE(two.bob->subscribe("user.ann.INBOX", true));
  REQUIRE(two.bob->create("Lists.C++"));
  REQUIRE(two.bob->subscribe("Lists.C++", true));
  const auto list = two.bob->list(true);
  for (const MailboxInfo& info : *list)
    CHECK(info.subscribed == (info.name == "user.ann.INBOX" || info.name == "Lists.C++"));
  Store fresh(*two.site.host, two.bob->settings());
  REQUIRE(fresh.subscribe("user.ann.INBOX", false));
  CHECK(two.bob->list(true)->back().name == "user.ann.INBOX");
  CHECK_FALSE(two.bob->list(true)->back().subscribed);
}

TEST_CASE("Shares: Dovecot's list is continued, and others' lines stay") {
  const std::string text =
      "shared/shared-boxes/user/bob/eve\n1\nshared/shared-boxes/anyone/ann\n1\nodd\n1\nhalf";
  CHECK(sharers_with(text, "bob", {}) == Names{"ann", "eve"});
  CHECK(sharers_with(text, "eve", {}) == Names{"ann"});
  const std::string next = with_shares_of(text, "ann", {"group=staff", "owner", "user=bob"});
  CHECK(next ==
        "shared/shared-boxes/user/bob/eve\n1\nodd\n1\nshared/shared-boxes/group/staff/ann\n1\n"
        "shared/shared-boxes/user/bob/ann\n1\n");
  CHECK(sharers_with(next, "zoe", {"staff"}) == Names{"ann"});
}

TEST_CASE(
    "Quota: limits that were set count before the rule, and a foreign maildirsize without one") {
  Site site;
  StoreSettings settings;
  NamespaceSettings personal;
  personal.location.base = site.path;
  personal.location.components = {"Maildir"};
  settings.namespaces.push_back(personal);
  Store free(*site.host, settings);
  CHECK_FALSE(free.quota()->limits.any());
  CHECK_FALSE(fs::exists(site.maildir("maildirsize")));
  // Courier was here.
  std::ofstream(site.maildir("maildirsize")) << "2C\n7 1\n";
  CHECK(free.quota()->limits.messages == 2);
  const auto inbox = free.open("INBOX").value();
  REQUIRE(inbox->append({message("a: b\n\n")}));
  CHECK(free.quota()->messages == 2);
  CHECK_FALSE(free.quota()->fits(0, 1));
  // The site's rule comes before it.
  settings.quota.messages = 9;
  Store ruled(*site.host, settings);
  CHECK(ruled.quota()->limits.messages == 9);
  CHECK(ruled.quota()->messages == 1);  // counted anew
  QuotaLimits limits;
  limits.octets = 5 << 20;
  REQUIRE(ruled.set_quota("INBOX", limits));
  CHECK(ruled.quota()->limits == limits);
  CHECK(free.quota()->limits == limits);
  CHECK(site.content("maildirsize").starts_with("5242880S\n"));
  // No limits at all, said on purpose.
  REQUIRE(ruled.set_quota("INBOX", QuotaLimits()));
  CHECK_FALSE(ruled.quota()->limits.any());
  CHECK_FALSE(fs::exists(site.maildir("maildirsize")));
}

}  // namespace
}  // namespace posthorn::store
