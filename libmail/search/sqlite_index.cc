// The index in SQLite: an FTS5 table without contents whose tokenizer is ours (trigrams.h), and a row that says of which messages
// it speaks.
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "libmail/base/fd.h"
#include "libmail/search/search_index.h"
#include "libmail/search/trigrams.h"

namespace posthorn::search {

namespace {

using Kind = SearchError::Kind;

constexpr int version = 1;      // of tables, folding and tokens together
constexpr int busy_time = 250;  // milliseconds: another one closes the file
constexpr std::size_t page = 4096;
constexpr mode_t file_mode = 0600;
constexpr std::array<const char*, columns> column_names = {"subject", "sender", "recipient", "copy",
                                                           "blind",   "header", "body"};

SearchError error_of(sqlite3* database, int code, const char* what) {
  const char* why = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  std::string text = fmt::format("search index: {}: {}", what, why);
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Kind::busy, std::move(text)};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // tables that are not as we made them
      return {Kind::damaged, std::move(text)};
    case SQLITE_FULL:
      return {Kind::full, std::move(text)};
    case SQLITE_CANTOPEN:
      return {Kind::missing, std::move(text)};
    default:
      return {Kind::unavailable, std::move(text)};
  }
}

// ---- the tokenizer, as FTS5 wants it ----

struct Tokenizer {
  Trigrams trigrams;
};

int make_tokenizer(void*, const char**, int, Fts5Tokenizer** made) {
  *made = reinterpret_cast<Fts5Tokenizer*>(new Tokenizer);
  return SQLITE_OK;
}

void end_tokenizer(Fts5Tokenizer* tokenizer) {
  delete reinterpret_cast<Tokenizer*>(tokenizer);
}

int tokenize(Fts5Tokenizer* tokenizer, void* context, int flags, const char* text, int size,
             int (*token)(void*, int, const char*, int, int, int)) {
  // A query has tokens already.
  if ((flags & FTS5_TOKENIZE_QUERY) != 0) return token(context, 0, text, size, 0, size);
  int code = SQLITE_OK;
  const auto take = [&](std::string_view octets) {
    code = token(context, 0, octets.data(), static_cast<int>(octets.size()), 0, 0);
    return code == SQLITE_OK;
  };
  reinterpret_cast<Tokenizer*>(tokenizer)->trigrams.each(
      std::string_view(text, static_cast<std::size_t>(size)), take);
  return code;
}

// ---- statements ----

class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql) : database_(database) {
    code_ = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_,
                               nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // The octets must live until the statement is stepped for the last time.
  void bind(int index, std::string_view text) {
    if (code_ == SQLITE_OK)
      code_ = sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC,
                                  SQLITE_UTF8);
  }
  void bind(int index, std::int64_t number) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, index, number);
  }
  // True: there is a row.
  bool step() {
    if (code_ != SQLITE_OK && code_ != SQLITE_ROW) return false;
    code_ = sqlite3_step(statement_);
    return code_ == SQLITE_ROW;
  }
  void reset() {
    if (code_ == SQLITE_DONE) code_ = sqlite3_reset(statement_);
  }
  [[nodiscard]] std::int64_t number(int column) const {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] std::string_view text(int column) const {
    const auto* octets = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (octets == nullptr) return {};
    return {octets, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  [[nodiscard]] int code() const { return code_; }
  SearchResult<void> done(const char* what) const {
    if (code_ == SQLITE_OK || code_ == SQLITE_ROW || code_ == SQLITE_DONE) return {};
    return fail(error_of(database_, code_, what));
  }

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
};

imap::NumberSet numbers_of(std::string_view text) {
  auto set = imap::parse_sequence_set(text);
  return set && !set->has_star() ? set->resolve(UINT32_MAX) : imap::NumberSet();
}

// {subject body} : ("abc" AND "bcd")
std::string query_of(std::span<const Column> in, const Wanted& wanted) {
  std::string query = "{";
  for (const Column column : in)
    query.append(column_names[static_cast<std::size_t>(column)]) += ' ';
  query += "} : (";
  for (const std::string& token : wanted.tokens) {
    if (!query.ends_with('(')) query += " AND ";
    query += '"';
    for (const char octet : token) query.append(octet == '"' ? 2 : 1, octet);
    query.append(wanted.is_prefix ? "\" *" : "\"");
  }
  return query += ')';
}

class SqliteIndex final : public SearchIndex {
 public:
  explicit SqliteIndex(const Limits& limits) : limits_(limits) {}
  ~SqliteIndex() override { sqlite3_close_v2(database_); }
  SqliteIndex(const SqliteIndex&) = delete;
  SqliteIndex& operator=(const SqliteIndex&) = delete;

  SearchResult<void> open(const std::string& path);
  SearchResult<void> make_tables(const IndexOwner& owner);
  SearchResult<void> check_owner(const IndexOwner& owner);

  SearchResult<Known> known() override;
  SearchResult<std::optional<imap::NumberSet>> candidates(std::span<const Column> in,
                                                          std::string_view folded) override;
  SearchResult<void> add(std::span<const IndexedMessage> messages) override;
  SearchResult<void> verify() override;

 private:
  SearchResult<void> add_tokenizer();
  SearchResult<void> run(const char* sql);
  SearchResult<void> add_rows(std::span<const IndexedMessage> messages);
  SearchResult<void> put_known(const Known& known);

  Limits limits_;
  sqlite3* database_ = nullptr;
};

SearchResult<void> SqliteIndex::open(const std::string& path) {
  constexpr int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW;
  if (const int code = sqlite3_open_v2(path.c_str(), &database_, flags, nullptr); code != SQLITE_OK)
    return fail(error_of(database_, code, "open"));
  sqlite3_extended_result_codes(database_, 1);
  sqlite3_busy_timeout(database_, busy_time);
  sqlite3_limit(database_, SQLITE_LIMIT_ATTACHED, 0);
  // WAL with NORMAL: one sync when the log is copied back. Temporary tables never go to a disk we were not given.
  if (auto set = run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA "
                     "temp_store=MEMORY; PRAGMA cache_size=-8192; "
                     "PRAGMA trusted_schema=OFF");
      !set)
    return set;
  const std::string most = fmt::format("PRAGMA max_page_count={}", limits_.file_octets / page);
  if (auto set = run(most.c_str()); !set) return set;
  return add_tokenizer();
}

SearchResult<void> SqliteIndex::add_tokenizer() {
  fts5_api* api = nullptr;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(database_, "SELECT fts5(?1)", -1, &statement, nullptr);
  if (code == SQLITE_OK) {
    static char type[] = "fts5_api_ptr";
    sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), type, nullptr);
    sqlite3_step(statement);
  }
  sqlite3_finalize(statement);
  if (api == nullptr)
    return fail(SearchError(Kind::unavailable, "search index: this SQLite has no FTS5"));
  fts5_tokenizer tokenizer = {make_tokenizer, end_tokenizer, tokenize};
  code = api->xCreateTokenizer(api, "octet_trigrams", nullptr, &tokenizer, nullptr);
  if (code != SQLITE_OK) return fail(error_of(database_, code, "tokenizer"));
  return {};
}

SearchResult<void> SqliteIndex::run(const char* sql) {
  const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(database_, code, "SQL"));
  return {};
}

SearchResult<void> SqliteIndex::make_tables(const IndexOwner& owner) {
  std::string names;
  for (const char* name : column_names) names.append(name).append(", ");
  const std::string sql = fmt::format(
      "BEGIN IMMEDIATE;"
      "CREATE TABLE state (uid_validity INTEGER, mailbox TEXT, seen TEXT, indexed TEXT);"
      "CREATE VIRTUAL TABLE texts USING fts5({}tokenize='octet_trigrams', content='', "
      "columnsize=0, "
      "detail=column);"
      // Of one transaction's tokens: one segment is written in place of many.
      "INSERT INTO texts(texts, rank) VALUES('hashsize', 67108864);"
      "PRAGMA user_version={};",
      names, version);
  if (auto made = run(sql.c_str()); !made) return made;
  Statement put(database_, "INSERT INTO state VALUES (?1, ?2, '', '')");
  put.bind(1, std::int64_t{owner.uid_validity});
  put.bind(2, owner.mailbox);
  put.step();
  if (auto done = put.done("make"); !done) return done;
  return run("COMMIT");
}

SearchResult<void> SqliteIndex::check_owner(const IndexOwner& owner) {
  const auto another = [] {
    return fail(SearchError(Kind::missing, "search index: it is of another mailbox or version"));
  };
  Statement asked(database_, "PRAGMA user_version");
  const bool is_ours = asked.step() && asked.number(0) == version;
  if (auto done = asked.done("version"); !done) return done;
  if (!is_ours) return another();
  Statement state(database_, "SELECT uid_validity, mailbox FROM state");
  const bool has_row = state.step();
  if (auto done = state.done("state"); !done) return done;
  if (!has_row) return fail(SearchError(Kind::damaged, "search index: its state is missing"));
  if (state.number(0) != owner.uid_validity || state.text(1) != owner.mailbox) return another();
  return {};
}

SearchResult<Known> SqliteIndex::known() {
  Statement state(database_, "SELECT seen, indexed FROM state");
  const bool has_row = state.step();
  if (auto done = state.done("state"); !done) return fail(done.error());
  if (!has_row) return fail(SearchError(Kind::damaged, "search index: its state is missing"));
  Known known;
  known.seen = numbers_of(state.text(0));
  known.indexed = numbers_of(state.text(1));
  return known;
}

SearchResult<std::optional<imap::NumberSet>> SqliteIndex::candidates(std::span<const Column> in,
                                                                     std::string_view folded) {
  const Wanted wanted = wanted_of(folded);
  if (wanted.tokens.empty()) return std::optional<imap::NumberSet>();
  const std::string query = query_of(in, wanted);
  Statement found(database_, "SELECT rowid FROM texts WHERE texts MATCH ?1");
  found.bind(1, query);
  imap::NumberSet uids;
  while (found.step()) uids.add(static_cast<std::uint32_t>(found.number(0)));
  if (auto done = found.done("query"); !done) return fail(done.error());
  return std::optional<imap::NumberSet>(std::move(uids));
}

SearchResult<void> SqliteIndex::add(std::span<const IndexedMessage> messages) {
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  auto added = add_rows(messages);
  if (added) added = run("COMMIT");
  if (!added) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  return added;
}

SearchResult<void> SqliteIndex::add_rows(std::span<const IndexedMessage> messages) {
  auto known = this->known();  // in the transaction: another process may have been here
  if (!known) return fail(known.error());
  Statement insert(
      database_,
      "INSERT INTO texts(rowid, subject, sender, recipient, copy, blind, header, body) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  for (const IndexedMessage& message : messages) {
    if (known->seen.contains(message.uid)) continue;
    known->seen.add(message.uid);
    if (!message.is_indexed) continue;
    known->indexed.add(message.uid);
    insert.bind(1, std::int64_t{message.uid});
    for (std::size_t i = 0; i < columns; ++i) insert.bind(static_cast<int>(i + 2), message.text[i]);
    insert.step();
    if (auto done = insert.done("add"); !done) return done;
    insert.reset();
  }
  return put_known(*known);
}

SearchResult<void> SqliteIndex::put_known(const Known& known) {
  const std::string seen = known.seen.text();
  const std::string indexed = known.indexed.text();
  Statement put(database_, "UPDATE state SET seen = ?1, indexed = ?2");
  put.bind(1, seen);
  put.bind(2, indexed);
  put.step();
  return put.done("state");
}

SearchResult<void> SqliteIndex::verify() {
  Statement check(database_, "PRAGMA quick_check(1)");
  while (check.step()) {
    if (check.text(0) != "ok")
      return fail(SearchError(Kind::damaged, "search index: " + std::string(check.text(0))));
  }
  if (auto done = check.done("check"); !done) return done;
  return run("INSERT INTO texts(texts) VALUES('integrity-check')");
}

std::string path_of(const std::string& directory) {
  return directory + "/" + index_name;
}

}  // namespace

SearchResult<std::unique_ptr<SearchIndex>> open_index(const std::string& directory,
                                                      const IndexOwner& owner,
                                                      const Limits& limits) {
  auto index = std::make_unique<SqliteIndex>(limits);
  if (auto opened = index->open(path_of(directory)); !opened) return fail(opened.error());
  if (auto checked = index->check_owner(owner); !checked) return fail(checked.error());
  return std::unique_ptr<SearchIndex>(std::move(index));
}

SearchResult<std::unique_ptr<SearchIndex>> make_index(const std::string& directory,
                                                      const IndexOwner& owner, const Limits& limits,
                                                      std::string& remark) {
  const bool was_there = has_index(directory);
  if (was_there) {
    auto opened = open_index(directory, owner, limits);
    if (opened) return opened;
    const Kind kind = opened.error().kind;
    if (kind != Kind::missing && kind != Kind::damaged) return opened;
    if (kind == Kind::damaged) remark = opened.error().text + "; it is made anew";
    remove_index(directory);
  }
  const std::string path = path_of(directory);
  // Its side files get the same permissions.
  const Fd file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file_mode));
  if (!file) {
    const int code = errno;
    const Kind kind = code == EEXIST                     ? Kind::busy
                      : code == ENOSPC || code == EDQUOT ? Kind::full
                                                         : Kind::unavailable;
    return fail(
        SearchError(kind, fmt::format("search index: make {}: {}", path, std::strerror(code))));
  }
  auto index = std::make_unique<SqliteIndex>(limits);
  if (auto opened = index->open(path); !opened) return fail(opened.error());
  if (auto made = index->make_tables(owner); !made) return fail(made.error());
  return std::unique_ptr<SearchIndex>(std::move(index));
}

bool has_index(const std::string& directory) {
  return ::access(path_of(directory).c_str(), F_OK) == 0;
}

void remove_index(const std::string& directory) {
  for (const char* end : {"-shm", "-wal", ""}) ::unlink((path_of(directory) + end).c_str());
}

}  // namespace posthorn::search
