#include "libmail/imap/client/view.h"

#include <algorithm>

namespace posthorn::imap::client {

void View::clear() {
  chunks_.clear();
  count_ = 0;
  remembered_ = 0;
}

View::Place View::place_of(std::uint32_t number) const {
  std::uint32_t offset = number - 1;
  std::size_t chunk = 0;
  while (offset >= chunks_[chunk].count) offset -= chunks_[chunk++].count;
  return Place{chunk, offset};
}

const View::Message* View::find(std::uint32_t number) const {
  if (number == 0 || number > count_) return nullptr;
  const Place place = place_of(number);
  const Chunk& chunk = chunks_[place.chunk];
  return chunk.messages.empty() ? nullptr : &chunk.messages[place.offset];
}

std::uint32_t View::uid_of(std::uint32_t number) const {
  const Message* message = find(number);
  return message == nullptr ? 0 : message->uid;
}

std::optional<std::uint32_t> View::number_of(std::uint32_t uid) const {
  if (uid == 0) return std::nullopt;
  std::uint32_t before = 0;
  for (const Chunk& chunk : chunks_) {
    const auto known = std::find_if(chunk.messages.rbegin(), chunk.messages.rend(),
                                    [](const Message& message) { return message.uid != 0; });
    if (known != chunk.messages.rend() && known->uid >= uid) {
      for (std::uint32_t i = 0; i < chunk.messages.size(); ++i)
        if (chunk.messages[i].uid == uid) return before + i + 1;
      return std::nullopt;
    }
    before += chunk.count;
  }
  return std::nullopt;
}

NumberSet View::uids() const {
  NumberSet all;
  for (const Chunk& chunk : chunks_)
    for (const Message& message : chunk.messages) all.add(message.uid);
  return all;
}

bool View::exists(std::uint32_t count) {
  if (count < count_) return false;
  if (count == count_) return true;
  const std::uint32_t more = count - count_;
  if (chunks_.empty() || !chunks_.back().messages.empty()) chunks_.emplace_back();
  chunks_.back().count += more;
  count_ = count;
  return true;
}

// Makes room for what is known about a message: a piece is cut out of the stretch that was only counted.
View::Message* View::learn(std::uint32_t number) {
  const Place place = place_of(number);
  if (!chunks_[place.chunk].messages.empty()) return &chunks_[place.chunk].messages[place.offset];
  const std::uint32_t begin = place.offset / piece * piece;
  const std::uint32_t size = std::min(piece, chunks_[place.chunk].count - begin);
  if (remembered_ + size > most_) return nullptr;
  remembered_ += size;
  const std::uint32_t behind = chunks_[place.chunk].count - begin - size;
  std::vector<Chunk> cut;
  if (begin > 0) cut.push_back(Chunk{begin, {}});
  cut.push_back(Chunk{size, std::vector<Message>(size)});
  if (behind > 0) cut.push_back(Chunk{behind, {}});
  const std::size_t known = place.chunk + (begin > 0 ? 1 : 0);
  const auto at = chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(place.chunk));
  chunks_.insert(at, std::make_move_iterator(cut.begin()), std::make_move_iterator(cut.end()));
  return &chunks_[known].messages[place.offset - begin];
}

void View::remove(Place place) {
  Chunk& chunk = chunks_[place.chunk];
  if (!chunk.messages.empty()) {
    chunk.messages.erase(chunk.messages.begin() + place.offset);
    --remembered_;
  }
  --count_;
  if (--chunk.count == 0) chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(place.chunk));
}

bool View::expunged(std::uint32_t number) {
  if (number == 0 || number > count_) return false;
  remove(place_of(number));
  return true;
}

bool View::fetched(const Fetched& message) {
  std::uint32_t number = message.number;
  if (number == 0) number = number_of(message.uid).value_or(0);
  if (number == 0) return true;  // UIDFETCH of a message whose number was never said
  if (number > count_) return false;
  Message* known = learn(number);
  if (known == nullptr) return true;
  if (message.uid != 0) {
    const std::uint32_t below = number > 1 ? uid_of(number - 1) : 0;
    const std::uint32_t above = number < count_ ? uid_of(number + 1) : 0;
    const bool moved = known->uid != 0 && known->uid != message.uid;
    if (moved || message.uid <= below || (above != 0 && message.uid >= above)) return false;
    known->uid = message.uid;
  }
  if (message.flags) known->flags = message.flags;
  if (message.modseq) known->modseq = *message.modseq;
  return true;
}

bool View::vanished(const NumberSet& uids, bool earlier) {
  std::uint64_t known = 0;
  for (std::size_t c = 0; c < chunks_.size();) {
    Chunk& chunk = chunks_[c];
    const std::size_t gone = std::erase_if(chunk.messages, [&uids](const Message& message) {
      return message.uid != 0 && uids.contains(message.uid);
    });
    known += gone;
    remembered_ -= gone;
    chunk.count -= static_cast<std::uint32_t>(gone);
    count_ -= static_cast<std::uint32_t>(gone);
    if (chunk.count == 0) {
      chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(c));
    } else {
      ++c;
    }
  }
  // (EARLIER) tells what has gone since the client's last visit; the numbers don't count those any more.
  if (earlier || known == uids.count()) return true;
  return forget_unheard(uids);
}

namespace {

// How many members of a set are below a number.
class Below {
 public:
  explicit Below(const NumberSet& set) : ranges_(set.ranges()) {
    std::uint64_t sum = 0;
    for (const NumberRange& range : ranges_) {
      before_.push_back(sum);
      sum += std::uint64_t{range.last} - range.first + 1;
    }
    before_.push_back(sum);
  }
  [[nodiscard]] std::uint64_t operator()(std::uint64_t number) const {
    const auto range =
        std::partition_point(ranges_.begin(), ranges_.end(),
                             [number](const NumberRange& one) { return one.last < number; });
    const auto index = static_cast<std::size_t>(range - ranges_.begin());
    const std::uint64_t inside =
        range != ranges_.end() && range->first < number ? number - range->first : 0;
    return before_[index] + inside;
  }

 private:
  const std::vector<NumberRange>& ranges_;
  std::vector<std::uint64_t> before_;
};

constexpr std::uint64_t beyond_all = std::uint64_t{1} << 32;

}  // namespace

// Messages whose UID was never heard are gone: each takes a place between the known UIDs around its own.
bool View::forget_unheard(const NumberSet& uids) {
  const Below below(uids);
  struct Gap {
    std::size_t chunk;
    std::uint32_t begin;
    std::uint32_t size;
  };
  std::vector<Gap> gaps;   // since the last known UID
  std::vector<Gap> going;  // what is to be taken out, in order
  std::uint64_t last = 0;
  std::uint64_t found = 0;
  const auto settle = [&](std::uint64_t next) {
    std::uint64_t count = below(next) - below(last + 1);
    for (const Gap& gap : gaps) {
      const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, gap.size));
      if (size > 0) going.push_back(Gap{gap.chunk, gap.begin, size});
      count -= size;
      found += size;
    }
    gaps.clear();
    last = next;
  };
  for (std::size_t c = 0; c < chunks_.size(); ++c) {
    const Chunk& chunk = chunks_[c];
    if (chunk.messages.empty()) gaps.push_back(Gap{c, 0, chunk.count});
    for (std::uint32_t i = 0; i < chunk.messages.size(); ++i) {
      if (chunk.messages[i].uid != 0) {
        settle(chunk.messages[i].uid);
      } else {
        gaps.push_back(Gap{c, i, 1});
      }
    }
  }
  settle(beyond_all);
  for (auto gap = going.rbegin(); gap != going.rend(); ++gap)
    for (std::uint32_t i = 0; i < gap->size && chunks_[gap->chunk].count > 0; ++i) {
      Chunk& chunk = chunks_[gap->chunk];
      if (chunk.messages.empty()) {
        chunk.count -= gap->size;
        count_ -= gap->size;
        break;
      }
      chunk.messages.erase(chunk.messages.begin() + gap->begin);
      --remembered_;
      --chunk.count;
      --count_;
    }
  std::erase_if(chunks_, [](const Chunk& chunk) { return chunk.count == 0; });
  return found > 0;
}

}  // namespace posthorn::imap::client
