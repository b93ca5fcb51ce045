// What replies mean. Each question is asked once and remembered.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agents/nslook/look_up.h"

namespace posthorn::nslook {

enum class Presence {
  found,
  nodata,    // the name exists, the type doesn't
  nxdomain,  // the name doesn't exist
  unknown,   // nobody could say
};

struct Answer {
  Presence presence = Presence::unknown;
  std::vector<dns::Record> records;  // of the type asked, at `owner`
  dns::Name owner;                   // the name asked, or where its aliases lead
  std::vector<dns::Name> aliases;    // the CNAMEs' owners
  std::string why;                   // unknown: one sentence
  // Data of one type.
  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> data;
    for (const dns::Record& record : records) {
      if (const auto* one = record.as<T>()) data.push_back(*one);
    }
    return data;
  }
  [[nodiscard]] bool is_found() const { return presence == Presence::found; }
  // Certainly nothing.
  [[nodiscard]] bool is_absent() const {
    return presence == Presence::nodata || presence == Presence::nxdomain;
  }
  // "no such name", "no such record", or why nobody knows.
  [[nodiscard]] std::string absence_text() const;
};

[[nodiscard]] Answer read_answer(const Result<Reply, Failure>& reply);

class Answers {
 public:
  // `asker` outlives it. Of `settings`, servers and manner count.
  Answers(Asker& asker, Settings settings) : asker_(asker), settings_(std::move(settings)) {}
  async::Task<Answer> ask(dns::Name name, dns::Type type);
  // A and AAAA as text.
  async::Task<std::vector<std::string>> addresses(dns::Name host);

 private:
  Asker& asker_;
  Settings settings_;
  std::map<std::pair<dns::Name, dns::Type>, Answer> known_;
};

}  // namespace posthorn::nslook
