#include "libmail/route/site_routes.h"

#include <algorithm>
#include <array>

#include "libmail/async/scope.h"
#include "libmail/async/watch.h"
#include "libmail/route/file_table.h"
#include "libmail/route/open_table.h"
#include "libmail/route/server_table.h"

namespace posthorn::route {

namespace {

constexpr Duration look_interval = std::chrono::milliseconds(500);

struct TableOption {
  TableKind kind;
  std::string_view name;
  const std::string RouteOptions::* value;
};
constexpr std::array<TableOption, 4> table_options = {{
    {TableKind::virtuals, "virtual", &RouteOptions::virtuals},
    {TableKind::aliases, "aliases", &RouteOptions::aliases},
    {TableKind::lists, "lists", &RouteOptions::lists},
    {TableKind::transports, "transports", &RouteOptions::transports},
}};

std::string check_table_name(const std::string& text) {
  const auto name = parse_table_name(text);
  return name ? std::string() : name.error();
}

std::string check_transport(const std::string& text) {
  // Only the shape matters here: where the site lies makes no difference to it.
  const auto transport = parse_transport(text, service::Site::find("/"));
  return transport ? std::string() : transport.error();
}

std::string check_postmaster(const std::string& text) {
  if (text.empty()) return {};
  const auto entry = parse_entry(text, TableKind::aliases);
  return entry ? std::string() : entry.error();
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

ResolverSettings resolver_settings(const RouteOptions& options, std::vector<std::string> domains) {
  ResolverSettings settings;
  settings.domains = std::move(domains);
  settings.recipient_delimiter = options.recipient_delimiter;
  settings.postmaster = options.postmaster;
  return settings;
}

// An option's text; it was checked when it was read.
Transport option_transport(const std::string& text, const service::Site& site) {
  auto transport = parse_transport(text, site);
  check(transport.has_value(), "a transport option that nobody checked");
  return std::move(*transport);
}

}  // namespace

void RouteOptions::describe(service::OptionTable& table) {
  table.group("Tables");
  const std::string forms = ": a file, socketmap:..., tcp:... or nothing";
  table.add("aliases", aliases, "aliases of local parts and addresses" + forms)
      .at_start()
      .check_with(check_table_name);
  table.add("lists", lists, "distribution lists" + forms).at_start().check_with(check_table_name);
  table.add("virtual", virtuals, "aliases of addresses, and catch-alls" + forms)
      .at_start()
      .check_with(check_table_name);
  table.add("transports", transports, "where mail for an address or domain goes" + forms)
      .at_start()
      .check_with(check_table_name);
  table.add("recipient-delimiter", recipient_delimiter,
            "characters that part a user's name from an extension; none: no extensions");
  table
      .add("postmaster", postmaster,
           "who gets mail for postmaster and owner-LIST where no table says it")
      .check_with(check_postmaster);
  table.add("local-transport", local_transport, "the delivery agent for our domains")
      .check_with(check_transport);
  table.add("remote-transport", remote_transport, "the agent for everything else")
      .check_with(check_transport);
}

std::vector<std::string> RouteOptions::check(const service::Site& site) const {
  std::vector<std::string> problems;
  for (const TableOption& option : table_options) {
    const auto name = parse_table_name(this->*option.value);
    if (!name || name->kind != TableName::Kind::file) continue;
    FileTable table(site.path(name->path), entry_check(option.kind, site));
    const auto read = table.read_now();
    if (!read) problems.push_back(read.error());
  }
  return problems;
}

void RouteOptions::confine(service::Confinement& confinement, const service::Site& site) const {
  for (const TableOption& option : table_options) {
    const auto name = parse_table_name(this->*option.value);
    if (!name || name->kind != TableName::Kind::file) continue;
    confinement.read.push_back(directory_of(site.path(name->path)));
  }
}

struct SiteRoutes::State {
  const service::Site& site;
  service::Log& log;
  std::array<std::unique_ptr<Table>, table_options.size()> tables;
  std::vector<FileTable*> files;
  std::unique_ptr<Resolver> resolver;
  std::unique_ptr<async::FileWatch> watch;
  async::Scope scope;
  std::vector<std::string> changed;  // paths that wait to be read
  bool reading = false;

  State(const service::Site& where, service::Log& to) : site(where), log(to) {}

  Table* open(const TableOption& option, const std::string& text) {
    auto name = parse_table_name(text);
    posthorn::check(name.has_value(), "a table option that nobody checked");
    std::unique_ptr<Table>& place =
        tables[static_cast<std::size_t>(&option - table_options.data())];
    if (name->kind == TableName::Kind::file) {
      auto file =
          std::make_unique<FileTable>(site.path(name->path), entry_check(option.kind, site));
      files.push_back(file.get());
      place = std::move(file);
    } else if (name->kind != TableName::Kind::none) {
      place = std::make_unique<ServerTable>(std::move(*name));
    }
    return place.get();
  }

  void on_change(const std::string& path) {
    changed.push_back(path);
    if (!reading) scope.spawn(read_changed());
  }

  async::Task<void> read_changed() {
    reading = true;
    while (!changed.empty()) {
      const std::vector<std::string> paths = std::move(changed);
      changed.clear();
      for (FileTable* file : files) {
        if (std::find(paths.begin(), paths.end(), file->path()) == paths.end()) continue;
        const auto read = co_await file->read();
        if (read) {
          log.info("", "table-read", {{"table", file->path()}, {"entries", file->size()}});
        } else {
          log.error("", "table-error", {{"table", file->path()}, {"why", read.error()}});
        }
      }
    }
    reading = false;
  }
};

SiteRoutes::SiteRoutes(const service::Site& site, const RouteOptions& options,
                       std::vector<std::string> domains, UserLookup& users, service::Log& log)
    : state_(std::make_unique<State>(site, log)) {
  Resolver::Tables tables;
  Table** const places[] = {&tables.virtuals, &tables.aliases, &tables.lists, &tables.transports};
  for (std::size_t i = 0; i < table_options.size(); ++i) {
    *places[i] = state_->open(table_options[i], options.*table_options[i].value);
  }
  state_->resolver =
      std::make_unique<Resolver>(site, resolver_settings(options, std::move(domains)), tables,
                                 users, option_transport(options.local_transport, site),
                                 option_transport(options.remote_transport, site));
}

SiteRoutes::~SiteRoutes() = default;

async::Task<Result<void, std::string>> SiteRoutes::start() {
  // The watch first: what is replaced while we read is read again.
  std::vector<std::string> paths;
  for (const FileTable* file : state_->files) paths.push_back(file->path());
  State* state = state_.get();
  auto on_change = [state](const std::string& path) { state->on_change(path); };
  state_->watch =
      std::make_unique<async::FileWatch>(std::move(paths), look_interval, std::move(on_change));
  for (FileTable* file : state_->files) {
    auto read = co_await file->read();
    if (!read) co_return fail(std::move(read.error()));
  }
  co_return Result<void, std::string>();
}

void SiteRoutes::reload(const RouteOptions& options, std::vector<std::string> domains) {
  state_->resolver->set(resolver_settings(options, std::move(domains)));
  state_->resolver->set_defaults(option_transport(options.local_transport, state_->site),
                                 option_transport(options.remote_transport, state_->site));
}

async::Task<void> SiteRoutes::stop() {
  state_->watch.reset();
  for (const auto& table : state_->tables) {
    if (auto* server = dynamic_cast<ServerTable*>(table.get())) server->close();
  }
  co_await state_->scope.join();
}

Resolver& SiteRoutes::resolver() {
  return *state_->resolver;
}

}  // namespace posthorn::route
