// One name as somebody types it: which names and types that means, and what the servers say.
#pragma once

#include <string>
#include <vector>

#include "agents/nslook/settings.h"

namespace posthorn::nslook {

// The answer to one type, or why there is none.
struct Asked {
  dns::Question question;
  Result<Reply, Failure> reply;
  Asked(dns::Question q, Result<Reply, Failure> r) : question(std::move(q)), reply(std::move(r)) {}
  // NOERROR and a record of the type (any, if the type is ANY).
  [[nodiscard]] bool is_found() const;
};

struct LookUp {
  std::string given;  // as typed
  std::string fault;  // not empty: it is no name, and nothing was asked
  std::vector<Asked> asked;
  [[nodiscard]] bool is_found() const;
  [[nodiscard]] bool is_answered() const;  // by any server, for any type
};

// `text` becomes one or several names: the reverse name of an address; a name with a dot at its end
// as it is; others with the search list. IDNA is applied.
struct Candidates {
  std::vector<dns::Name> names;  // in the order to try; the first that exists counts
  bool is_reverse = false;
};
[[nodiscard]] Result<Candidates, std::string> candidates(const Settings& settings,
                                                         std::string_view text);

async::Task<LookUp> look_up(Asker& asker, const Settings& settings, std::string text);
// The first of the servers that answers usefully.
async::Task<Result<Reply, Failure>> ask_servers(Asker& asker, const Settings& settings,
                                                dns::Question question);
// A server named by host gets its address by asking `settings.servers`; each of its addresses is a
// place.
async::Task<Result<std::vector<Place>, std::string>> find_place(Asker& asker,
                                                                const Settings& settings,
                                                                Place place);

}  // namespace posthorn::nslook
