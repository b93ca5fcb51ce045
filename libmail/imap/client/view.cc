#include "libmail/imap/client/view.h"

#include <algorithm>
#include <bit>

namespace posthorn::imap::client {

void View::Starts::build(const std::vector<Chunk>& chunks) {
  sums_.assign(chunks.size() + 1, 0);
  work += chunks.size();
  for (std::size_t i = 1; i < sums_.size(); ++i) {
    sums_[i] += chunks[i - 1].count;
    const std::size_t parent = i + (i & (~i + 1));
    if (parent < sums_.size()) sums_[parent] += sums_[i];
  }
}

void View::Starts::take(std::size_t chunk, std::uint32_t count) {
  for (std::size_t i = chunk + 1; i < sums_.size(); i += i & (~i + 1), ++work) sums_[i] -= count;
}

std::size_t View::Starts::find(std::uint32_t& offset) const {
  std::size_t at = 0;
  for (std::size_t step = std::bit_floor(sums_.size()); step > 0; step /= 2, ++work) {
    if (at + step >= sums_.size() || sums_[at + step] > offset) continue;
    at += step;
    offset -= sums_[at];
  }
  return at;
}

void View::clear() {
  chunks_.clear();
  starts_.build(chunks_);
  count_ = 0;
  remembered_ = 0;
}

View::Place View::place_of(std::uint32_t number) const {
  std::uint32_t offset = number - 1;
  const std::size_t chunk = starts_.find(offset);
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
    if (chunk.low <= uid && uid <= chunk.high) {
      for (std::uint32_t i = 0; i < chunk.messages.size(); ++i)
        if (chunk.messages[i].uid == uid) return before + i + 1;
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

std::uint32_t View::first_unheard() const {
  std::uint32_t number = count_;
  for (auto chunk = chunks_.rbegin(); chunk != chunks_.rend(); ++chunk) {
    const auto known = std::find_if(chunk->messages.rbegin(), chunk->messages.rend(),
                                    [](const Message& message) { return message.uid != 0; });
    number -= chunk->count;
    if (known != chunk->messages.rend())
      return number + static_cast<std::uint32_t>(chunk->messages.rend() - known) + 1;
  }
  return 1;
}

bool View::exists(std::uint32_t count) {
  if (count < count_) return false;
  if (count == count_) return true;
  const std::uint32_t more = count - count_;
  if (chunks_.empty() || !chunks_.back().messages.empty()) chunks_.emplace_back();
  chunks_.back().count += more;
  starts_.build(chunks_);
  count_ = count;
  return true;
}

// A message behind a known chunk that isn't full: mail that comes one by one makes no chunks of one.
View::Message* View::learn_behind(Place place) {
  if (place.chunk == 0) return nullptr;
  Chunk& before = chunks_[place.chunk - 1];
  Chunk& counted = chunks_[place.chunk];
  if (before.messages.empty() || before.count + place.offset >= piece) return nullptr;
  const std::uint32_t size = std::min(piece - before.count, counted.count);
  if (remembered_ + size > most_) return nullptr;
  remembered_ += size;
  const std::uint32_t at = before.count + place.offset;
  before.count += size;
  before.messages.resize(before.count);
  counted.count -= size;
  erase_empty();
  return &chunks_[place.chunk - 1].messages[at];
}

// Makes room for what is known about a message: a piece is cut out of the stretch that was only counted.
View::Message* View::learn(std::uint32_t number) {
  const Place place = place_of(number);
  if (!chunks_[place.chunk].messages.empty()) return &chunks_[place.chunk].messages[place.offset];
  if (Message* known = learn_behind(place)) return known;
  const std::uint32_t begin = place.offset / piece * piece;
  const std::uint32_t size = std::min(piece, chunks_[place.chunk].count - begin);
  if (remembered_ + size > most_) return nullptr;
  remembered_ += size;
  const std::uint32_t behind = chunks_[place.chunk].count - begin - size;
  std::vector<Chunk> cut;
  if (begin > 0) cut.push_back(Chunk{begin, {}, 0, 0});
  cut.push_back(Chunk{size, std::vector<Message>(size), 0, 0});
  if (behind > 0) cut.push_back(Chunk{behind, {}, 0, 0});
  const std::size_t known = place.chunk + (begin > 0 ? 1 : 0);
  const auto at = chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(place.chunk));
  chunks_.insert(at, std::make_move_iterator(cut.begin()), std::make_move_iterator(cut.end()));
  starts_.build(chunks_);
  return &chunks_[known].messages[place.offset - begin];
}

void View::remove(Place place) {
  Chunk& chunk = chunks_[place.chunk];
  if (!chunk.messages.empty()) {
    chunk.messages.erase(chunk.messages.begin() + place.offset);
    --remembered_;
  }
  --count_;
  starts_.take(place.chunk, 1);
  if (--chunk.count == 0) erase_empty();
}

void View::erase_empty() {
  std::erase_if(chunks_, [](const Chunk& chunk) { return chunk.count == 0; });
  starts_.build(chunks_);
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
    Chunk& chunk = chunks_[place_of(number).chunk];
    chunk.low = chunk.low == 0 ? message.uid : std::min(chunk.low, message.uid);
    chunk.high = std::max(chunk.high, message.uid);
  }
  if (message.flags) known->flags = message.flags;
  if (message.modseq) known->modseq = *message.modseq;
  return true;
}

bool View::vanished(const NumberSet& uids, bool earlier) {
  std::uint64_t known = 0;
  bool emptied = false;
  const auto begin = uids.ranges().begin();
  starts_.work += chunks_.size();
  for (std::size_t c = 0; c < chunks_.size(); ++c) {
    Chunk& chunk = chunks_[c];
    if (chunk.high == 0) continue;
    const auto meets = std::partition_point(
        begin, uids.ranges().end(), [&chunk](const NumberRange& r) { return r.last < chunk.low; });
    if (meets == uids.ranges().end() || meets->first > chunk.high) continue;
    const auto gone =
        static_cast<std::uint32_t>(std::erase_if(chunk.messages, [&uids](const Message& message) {
          return message.uid != 0 && uids.contains(message.uid);
        }));
    known += gone;
    remembered_ -= gone;
    chunk.count -= gone;
    count_ -= gone;
    starts_.take(c, gone);
    emptied = emptied || chunk.count == 0;
  }
  if (emptied) erase_empty();
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
  erase_empty();
  return found > 0;
}

}  // namespace posthorn::imap::client
