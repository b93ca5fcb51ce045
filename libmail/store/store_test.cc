#include "libmail/store/store.h"

#include "libmail/store/subscriptions.h"
#include "libmail/store/test_maildir.h"

namespace posthorn::store {
namespace {

using namespace test;
using Uids = std::vector<std::uint32_t>;

struct Account {
  Site site;
  std::unique_ptr<Store> store;

  explicit Account(char separator = '.', const std::string& prefix = {}) {
    StoreSettings settings;
    settings.user = "bob";
    NamespaceSettings personal;
    personal.separator = separator;
    personal.prefix = prefix;
    personal.location.base = site.path;
    personal.location.components = {"Maildir"};
    settings.namespaces.push_back(personal);
    NamespaceSettings shared;
    shared.kind = NamespaceSettings::Kind::shared;
    shared.prefix = std::string("Public") + separator;
    shared.separator = separator;
    shared.location.base = site.path;
    shared.location.components = {"Shared"};
    settings.namespaces.push_back(shared);
    settings.special_use["Trash"] = "\\Trash";
    settings.quota.messages = 3;
    store = std::make_unique<Store>(*site.host, settings);
  }
  [[nodiscard]] std::vector<std::string> names() const {
    const auto list = store->list(true);
    REQUIRE(list);
    std::vector<std::string> names;
    for (const MailboxInfo& info : *list) {
      names.push_back((info.exists ? "" : "(") + info.name + (info.exists ? "" : ")") +
                      (info.subscribed ? "*" : "") + (info.has_children ? "+" : ""));
      for (const std::string& use : info.special_use) names.back() += use;
    }
    return names;
  }
};

using Names = std::vector<std::string>;

TEST_CASE("Store: mailboxes are made, listed, renamed and deleted as Dovecot has them") {
  Account account;
  Store& store = *account.store;
  REQUIRE(store.create("Lists.C++"));
  REQUIRE(store.create("Entwürfe", {"\\Drafts"}));
  REQUIRE(store.create("Trash"));
  CHECK(store.create("Trash").error().kind == StoreError::Kind::already_exists);
  CHECK(store.create("inbox").error().kind == StoreError::Kind::already_exists);
  CHECK(fs::exists(account.site.maildir(".Entw&APw-rfe/cur")));
  CHECK(fs::exists(account.site.maildir(".Lists.C++/maildirfolder")));
  REQUIRE(store.subscribe("Lists.C++", true));
  REQUIRE(store.subscribe("Gone", true));
  REQUIRE(store.subscribe("INBOX", true));
  CHECK(account.site.content("subscriptions") == "V\t2\n\nGone\nINBOX\nLists\tC++\n");
  CHECK(account.names() ==
        Names{"INBOX*", "Entwürfe\\Drafts", "(Gone)*", "(Lists)+", "Lists.C++*", "Trash\\Trash"});
  REQUIRE(store.rename("Lists", "Old.Lists"));
  REQUIRE(store.rename("Entwürfe", "Drafts"));
  REQUIRE(store.subscribe("Gone", false));
  CHECK(account.names() == Names{"INBOX*", "Drafts\\Drafts", "(Lists.C++)*", "(Old)+",
                                 "(Old.Lists)+", "Old.Lists.C++", "Trash\\Trash"});
  CHECK(store.rename("Trash", "Drafts").error().kind == StoreError::Kind::already_exists);
  CHECK(store.rename("Trash", "Trash.below").error().kind == StoreError::Kind::bad_name);
  CHECK(store.rename("Nothing", "Else").error().kind == StoreError::Kind::not_found);
  REQUIRE(store.remove("Drafts"));
  CHECK(store.remove("Drafts").error().kind == StoreError::Kind::not_found);
  CHECK(store.remove("INBOX").error().kind == StoreError::Kind::bad_name);
  CHECK_FALSE(fs::exists(account.site.maildir("..DOVECOT-TRASHED")));
  CHECK_FALSE(fs::exists(account.site.maildir(".Drafts")));
}

TEST_CASE("Store: names that can't be are refused, whatever they hold") {
  Account account;
  for (const std::string name :
       {"", ".", "..", "a..b", ".a", "a.", "a/b", "~root", "a\nb", "a\x7f", "\xff", "../../etc"}) {
    CAPTURE(name);
    CHECK(account.store->create(name).error().kind == StoreError::Kind::bad_name);
    CHECK_FALSE(account.store->open(name));
  }
  CHECK(account.store->create(std::string("a\0b", 3)).error().kind == StoreError::Kind::bad_name);
  CHECK(account.store->create(std::string(300, 'a')).error().kind == StoreError::Kind::bad_name);
  CHECK(account.names() == Names{"INBOX"});
}

TEST_CASE("Store: what on disk is no mailbox name is left out, and said") {
  Account account;
  REQUIRE(account.store->create("a"));
  for (const char* name : {".&AGE-/cur", ".&/cur", ".b\xff/cur", "..x/cur", ".file", ".no/new"})
    fs::create_directories(account.site.maildir(name));
  fs::create_directory_symlink("/etc", account.site.maildir(".link"));
  CHECK(account.names() == Names{"INBOX", "a"});
  CHECK(account.store->take_remarks().size() == 3);
  CHECK_FALSE(account.store->open("link"));
}

TEST_CASE("Store: separator and prefix are settings") {
  Account account('/', "INBOX/");
  REQUIRE(account.store->create("INBOX/Work/2026"));
  CHECK(fs::exists(account.site.maildir(".Work.2026/cur")));
  CHECK_FALSE(account.store->create("Work"));
  CHECK_FALSE(account.store->create("INBOX/a.b"));
  CHECK(account.names() == Names{"INBOX", "(INBOX/Work)+", "INBOX/Work/2026"});
}

TEST_CASE("Store: a mailbox that is made again has another UIDVALIDITY") {
  Account account;
  std::set<std::uint32_t> validities;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(account.store->create("Work"));
    const auto status = account.store->status("Work");
    REQUIRE(status);
    validities.insert(status->uid_validity);
    REQUIRE(account.store->remove("Work"));
  }
  CHECK(validities.size() == 4);
}

TEST_CASE("Store: STATUS counts, and RENAME INBOX takes its messages along") {
  Account account;
  account.site.directories();
  account.site.deliver();
  account.site.deliver("cur", ":2,ST");
  const auto status = account.store->status("INBOX", true);
  REQUIRE(status);
  CHECK(status->counts.messages == 2);
  CHECK(status->counts.unseen == 1);
  CHECK(status->counts.deleted == 1);
  CHECK(status->counts.size == 40);
  CHECK(status->uid_next == 3);
  REQUIRE(account.store->rename("INBOX", "Old"));
  CHECK(account.store->status("INBOX")->counts.messages == 0);
  CHECK(account.store->status("Old")->counts.messages == 2);
}

TEST_CASE("Store: one mailbox is one object, and sessions share it") {
  Account account;
  const auto a = account.store->open("INBOX").value();
  CHECK(account.store->open("inbox").value() == a);
  REQUIRE(a->append({message("a\n"), message("b\n")}));
  CHECK(account.store->quota()->messages == 2);
  CHECK(account.store->quota()->fits(0, 1));
  CHECK_FALSE(account.store->quota()->fits(0, 2));
  REQUIRE(a->expunge(Uids{1}));
  CHECK(account.store->quota()->messages == 1);
  CHECK(account.site.content("maildirsize").starts_with("3C\n"));
}

TEST_CASE("Store: an mbox is an account of one mailbox") {
  Site site;
  StoreSettings settings;
  NamespaceSettings personal;
  personal.location.format = MailFormat::mbox;
  personal.location.base = site.path;
  personal.location.components = {"mbox"};
  settings.namespaces.push_back(personal);
  Store store(*site.host, settings);
  CHECK(store.list()->size() == 1);
  CHECK_FALSE(store.open("other"));
  CHECK_FALSE(store.create("other"));
  const auto box = store.open("INBOX").value();
  sync(*box);
  CHECK(box->snapshot()->size() == 0);
  REQUIRE(box->append({message("Subject: a\n\nFrom here\n"), message("Subject: b\n\n")}));
  REQUIRE(box->append({message("Subject: c\n\n")}));
  CHECK(uids_of(*box->snapshot()) == Uids{1, 2, 3});
  CHECK(box->text(1).value() == "Subject: a\r\n\r\nFrom here\r\n");
  const std::uint64_t before = box->snapshot()->highest_modseq();
  REQUIRE(box->store_flags(Uids{2, 3}, add_flags(flag::seen)));
  CHECK(box->expunge(Uids{2})->uids == Uids{2});
  CHECK(box->vanished(before)->uids == Uids{2});
  std::ofstream(site.path + "/mbox", std::ios::app)
      << "From x Sun Nov 22 20:24:20 2026\nSubject: d\n\n";
  sync(*box);
  CHECK(uids_of(*box->snapshot()) == Uids{1, 3, 4});
  CHECK((box->snapshot()->find(3)->flags & flag::seen) != 0);
  CHECK(box->text(3).value() == "Subject: c\r\n\r\n");
  // To a Maildir and back.
  auto maildir = site.open();
  const auto copied = box->copy_to(*maildir, Uids{1, 3});
  REQUIRE(copied);
  CHECK(maildir->text(1).value() == "Subject: a\r\n\r\nFrom here\r\n");
  REQUIRE(maildir->move_to(*box, Uids{1}));
  CHECK(box->snapshot()->size() == 4);
  CHECK(uids_of(*maildir->snapshot()) == Uids{2});
}

TEST_CASE("Store: in a shared namespace the ACL decides") {
  Account account;
  CHECK(account.store->authorise("INBOX", Right::administer).value());
  REQUIRE(account.store->create("Public.News"));
  CHECK(account.store->authorise("Public.News", Right::read).error().kind ==
        StoreError::Kind::not_found);
  std::ofstream(account.site.path + "/Shared/.News/dovecot-acl")
      << "# comment\nanyone lr\nuser=bob lrsw\n-user=bob w\ngroup=staff lrswipkxtea\n";
  CHECK(account.store->rights("Public.News")->letters() == "lrs");
  CHECK(account.store->authorise("Public.News", Right::write_seen).value());
  CHECK_FALSE(account.store->authorise("Public.News", Right::write).value());
}

TEST_CASE("Acl: letters of RFC 2086 are read, entries replace each other") {
  CHECK(Rights::parse("lrcd").letters() == "lrkxte");
  Acl acl = Acl::parse("\"user=a b\" lr\nowner lrw\nnonsense\n");
  CHECK(acl.entries().size() == 2);
  CHECK(acl.rights_of("a b", {}, false).letters() == "lr");
  AclEntry entry;
  entry.identifier = "user=a b";
  acl.set(entry);
  CHECK(acl.text() == "owner lrw\n");
}

TEST_CASE("Quota: both forms of limits are read, and files that are none are counted anew") {
  CHECK(parse_quota("*:storage=1M:messages=10").value() == QuotaLimits{1 << 20, 10});
  CHECK(parse_quota("*:storage=100").value() == QuotaLimits{102400, 0});
  CHECK(parse_quota("1000S,5C").value() == QuotaLimits{1000, 5});
  CHECK(parse_quota("*:bytes=7").value() == QuotaLimits{7, 0});
  for (const char* text : {"1G", "*:storage=x", "*:storage=99999999999999T", "5X", "*:"})
    CHECK_FALSE(parse_quota(text));
  const QuotaLimits limits{1000, 0};
  CHECK(parse_maildirsize("1000S\n10 1\n-4 -1\n", limits)->octets == 6);
  CHECK_FALSE(parse_maildirsize("2000S\n10 1\n", limits));
  CHECK_FALSE(parse_maildirsize("1000S\n10\n", limits));
  CHECK_FALSE(parse_maildirsize("", limits));
}

TEST_CASE("Subscriptions: both versions are read, and control octets are nobody's name") {
  CHECK(parse_subscriptions("INBOX\nLists.C++\n") == std::set<std::string>{"INBOX", "Lists.C++"});
  CHECK(parse_subscriptions("V\t2\n\nLists\tC++\nx\1ty\n") == std::set<std::string>{"Lists.C++"});
}

}  // namespace
}  // namespace posthorn::store
