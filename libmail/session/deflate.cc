#include "libmail/session/deflate.h"

#include <zlib.h>

#include "libmail/base/result.h"

namespace posthorn::session {

namespace {

// zlib reads no more than that, and changes none of it.
Bytef* octets_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

void give(z_stream& to, std::string_view octets) {
  to.next_in = octets_of(octets);
  to.avail_in = static_cast<uInt>(octets.size());
}

void make_room(z_stream& in, char* begin, std::size_t size) {
  in.next_out = reinterpret_cast<Bytef*>(begin);
  in.avail_out = static_cast<uInt>(size);
}

}  // namespace

// ---- Deflater ----

Deflater::Deflater(const DeflateSettings& settings) : stream_(std::make_unique<z_stream>()) {
  const int made = ::deflateInit2(stream_.get(), settings.level, Z_DEFLATED, -settings.window_bits,
                                  settings.memory_level, Z_DEFAULT_STRATEGY);
  check(made == Z_OK, "deflateInit2");
}

Deflater::~Deflater() {
  ::deflateEnd(stream_.get());
}

std::string Deflater::pack(std::string_view octets, bool flush) {
  std::string packed;
  give(*stream_, octets);
  do {
    const std::size_t before = packed.size();
    packed.resize(before + ::deflateBound(stream_.get(), stream_->avail_in) + 16);
    make_room(*stream_, packed.data() + before, packed.size() - before);
    (void)::deflate(stream_.get(), flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    packed.erase(packed.size() - stream_->avail_out);
  } while (stream_->avail_out == 0);
  return packed;
}

void Deflater::restart(std::string_view history) {
  check(::deflateReset(stream_.get()) == Z_OK, "deflateReset");
  if (history.empty()) return;
  (void)::deflateSetDictionary(stream_.get(), octets_of(history),
                               static_cast<uInt>(history.size()));
}

// ---- Inflater ----

Inflater::Inflater() = default;

Inflater::~Inflater() {
  if (stream_) ::inflateEnd(stream_.get());
}

void Inflater::wake() {
  if (stream_) return;
  stream_ = std::make_unique<z_stream>();
  check(::inflateInit2(stream_.get(), -MAX_WBITS) == Z_OK, "inflateInit2");
  if (history_.empty()) return;
  (void)::inflateSetDictionary(stream_.get(), octets_of(history_),
                               static_cast<uInt>(history_.size()));
  history_ = std::string();
}

Inflater::State Inflater::unpack(std::string_view& packed, std::size_t limit, std::string& into) {
  wake();
  const std::size_t before = into.size();
  into.resize(before + limit);
  give(*stream_, packed);
  make_room(*stream_, into.data() + before, limit);
  const int done = ::inflate(stream_.get(), Z_SYNC_FLUSH);
  packed.remove_prefix(packed.size() - stream_->avail_in);
  into.erase(into.size() - stream_->avail_out);
  more_inside_ = stream_->avail_out == 0;
  if (done == Z_STREAM_END) return State::ended;
  if (done == Z_OK || done == Z_BUF_ERROR) return State::more;
  error_ = stream_->msg == nullptr ? "inflate" : stream_->msg;
  return State::broken;
}

void Inflater::rest() {
  // zlib's word for "at the start of a block, and no bits are left over".
  constexpr int between_blocks = 128;
  if (!stream_ || more_inside_ || stream_->data_type != between_blocks) return;
  std::string history(Deflater::longest_history, '\0');
  uInt size = 0;
  const int got =
      ::inflateGetDictionary(stream_.get(), reinterpret_cast<Bytef*>(history.data()), &size);
  if (got != Z_OK) return;
  history_.assign(history, 0, size);
  ::inflateEnd(stream_.get());
  stream_.reset();
}

}  // namespace posthorn::session
