#include "libmail/session/deflate_stream.h"

#include <zlib.h>

#include <cerrno>

namespace posthorn::session {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t piece_size = 64 * 1024;

// zlib reads no more than that, and changes none of it.
void give(z_stream& to, std::string_view octets) {
  to.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
  to.avail_in = static_cast<uInt>(octets.size());
}

void make_room(z_stream& in, char* begin, std::size_t size) {
  in.next_out = reinterpret_cast<Bytef*>(begin);
  in.avail_out = static_cast<uInt>(size);
}

class DeflateStream final : public async::Stream {
 public:
  DeflateStream(std::unique_ptr<async::Stream> under, std::string already_read,
                const DeflateSettings& settings)
      : under_(std::move(under)) {
    input_.append(already_read);
    const int made = ::deflateInit2(&out_, settings.level, Z_DEFLATED, -settings.window_bits,
                                    settings.memory_level, Z_DEFAULT_STRATEGY);
    check(made == Z_OK, "deflateInit2");
    check(::inflateInit2(&in_, -MAX_WBITS) == Z_OK, "inflateInit2");
  }
  ~DeflateStream() override {
    ::deflateEnd(&out_);
    ::inflateEnd(&in_);
  }
  DeflateStream(const DeflateStream&) = delete;
  DeflateStream& operator=(const DeflateStream&) = delete;

  Task<Result<std::size_t, IoError>> read(async::Buffer& into, Deadline deadline) override {
    while (true) {
      if (ended_) co_return std::size_t{0};
      if (!input_.empty() || more_inside_) {
        Result<std::size_t, IoError> count = inflate_some(into);
        if (!count || *count > 0 || ended_) co_return count;
      }
      auto got = co_await under_->read(input_, deadline);
      if (!got || *got == 0) co_return got;
    }
  }

  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    while (!octets.empty()) {
      const std::string_view piece = octets.substr(0, piece_size);
      octets.remove_prefix(piece.size());
      std::string packed = deflate_piece(piece, octets.empty());
      auto written = co_await under_->write(packed, deadline);
      if (!written) co_return written;
    }
    co_return Result<void, IoError>();
  }

  Task<void> shutdown(Deadline deadline) override { co_await under_->shutdown(deadline); }
  void close() override { under_->close(); }
  [[nodiscard]] const async::Peer& peer() const override { return under_->peer(); }
  [[nodiscard]] bool has_pending() const override {
    return !input_.empty() || more_inside_ || under_->has_pending();
  }

 private:
  Result<std::size_t, IoError> inflate_some(async::Buffer& into) {
    std::string piece(piece_size, '\0');
    const std::string_view packed = input_.view();
    give(in_, packed);
    make_room(in_, piece.data(), piece.size());
    const int done = ::inflate(&in_, Z_SYNC_FLUSH);
    input_.consume(packed.size() - in_.avail_in);
    piece.resize(piece.size() - in_.avail_out);
    more_inside_ = in_.avail_out == 0;
    ended_ = done == Z_STREAM_END;
    if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR)
      return fail(IoError(EBADMSG, "inflate", in_.msg == nullptr ? "" : in_.msg));
    into.append(piece);
    return piece.size();
  }

  std::string deflate_piece(std::string_view octets, bool flush) {
    std::string packed;
    give(out_, octets);
    do {
      const std::size_t before = packed.size();
      packed.resize(before + ::deflateBound(&out_, out_.avail_in) + 16);
      make_room(out_, packed.data() + before, packed.size() - before);
      (void)::deflate(&out_, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      packed.resize(packed.size() - out_.avail_out);
    } while (out_.avail_out == 0);
    return packed;
  }

  std::unique_ptr<async::Stream> under_;
  async::Buffer input_;
  z_stream out_{};
  z_stream in_{};
  bool more_inside_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<async::Stream> make_deflate_stream(std::unique_ptr<async::Stream> under,
                                                   std::string already_read,
                                                   const DeflateSettings& settings) {
  return std::make_unique<DeflateStream>(std::move(under), std::move(already_read), settings);
}

}  // namespace posthorn::session
