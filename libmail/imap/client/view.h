// What a client knows of the selected mailbox: which UID each message number has now, and flags as far as they were heard
// (RFC 9051 2.3.1, RFC 7162). Expunges move the numbers; nothing is allocated for what a server only counts.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libmail/imap/client/response.h"

namespace posthorn::imap::client {

class View {
 public:
  struct Message {
    std::uint32_t uid = 0;  // 0: not heard yet
    std::optional<Flags> flags;
    std::uint64_t modseq = 0;
  };

  // Messages whose UID or flags are remembered; of more only the number is kept.
  explicit View(std::size_t most_remembered = 2'000'000) : most_(most_remembered) {}

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] const Message* find(std::uint32_t number) const;   // nothing: not heard of
  [[nodiscard]] std::uint32_t uid_of(std::uint32_t number) const;  // 0: not known
  [[nodiscard]] std::optional<std::uint32_t> number_of(std::uint32_t uid) const;
  // All UIDs that are known.
  [[nodiscard]] NumberSet uids() const;
  // each(number, message) for those whose UID is known, ascending: however many more a server counts.
  template <class F>
  void for_each_known(F&& each) const {
    std::uint32_t number = 0;
    for (const Chunk& chunk : chunks_) {
      for (std::uint32_t i = 0; i < chunk.messages.size(); ++i)
        if (chunk.messages[i].uid != 0) each(number + i + 1, chunk.messages[i]);
      number += chunk.count;
    }
  }
  // From this number on no UID is known; count() + 1 if the last one is.
  [[nodiscard]] std::uint32_t first_unheard() const;

  // False: the server said what cannot be (a number beyond the count, a smaller count, UIDs that do not ascend); the
  // view stays as it was.
  bool exists(std::uint32_t count);
  bool expunged(std::uint32_t number);
  bool fetched(const Fetched& message);
  bool vanished(const NumberSet& uids, bool earlier);
  void clear();
  // Stretches of messages looked at since it was made: what its work is counted in.
  [[nodiscard]] std::uint64_t work() const { return starts_.work; }

 private:
  static constexpr std::uint32_t piece = 256;
  // A stretch of messages: known ones, or only how many.
  struct Chunk {
    std::uint32_t count = 0;
    std::vector<Message> messages;  // empty, or `count`
    std::uint32_t low = 0;          // no UID in it is below; 0: none is known
    std::uint32_t high = 0;         // nor above
  };
  // How many messages the chunks before each one have: a Fenwick tree, so that neither a look-up nor an expunge walks
  // over a view of thousands of chunks.
  class Starts {
   public:
    void build(const std::vector<Chunk>& chunks);
    void take(std::size_t chunk, std::uint32_t count);  // so many less
    // The chunk in which `offset` (from 0, there is one) lies; `offset` is then that within it.
    [[nodiscard]] std::size_t find(std::uint32_t& offset) const;
    mutable std::uint64_t work = 0;

   private:
    std::vector<std::uint32_t> sums_;
  };
  struct Place {
    std::size_t chunk;
    std::uint32_t offset;
  };
  [[nodiscard]] Place place_of(std::uint32_t number) const;
  void erase_empty();
  Message* learn(std::uint32_t number);
  Message* learn_behind(Place place);
  void remove(Place place);
  bool forget_unheard(const NumberSet& uids);

  std::size_t most_;
  std::size_t remembered_ = 0;
  std::uint32_t count_ = 0;
  std::vector<Chunk> chunks_;
  Starts starts_;
};

// Of the selected mailbox as a whole.
struct Selected {
  std::string name;
  bool read_only = false;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;
  std::uint64_t highest_modseq = 0;  // 0: NOMODSEQ, or not asked for
  std::uint32_t exists = 0;
  std::uint32_t first_unseen = 0;  // message number, 0 if not said
  Flags flags;
  Flags permanent_flags;
  bool uid_not_sticky = false;
  std::string mailbox_id;

  Selected() = default;
};

}  // namespace posthorn::imap::client
