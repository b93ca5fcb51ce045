#include "libmail/session/deflate_stream.h"

#include <cerrno>

namespace posthorn::session {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t piece_size = 64 * 1024;

class DeflateStream final : public async::Stream {
 public:
  DeflateStream(std::unique_ptr<async::Stream> under, std::string already_read,
                const DeflateSettings& settings)
      : under_(std::move(under)), out_(settings) {
    input_.append(already_read);
  }
  DeflateStream(const DeflateStream&) = delete;
  DeflateStream& operator=(const DeflateStream&) = delete;

  Task<Result<std::size_t, IoError>> read(async::Buffer& into, Deadline deadline) override {
    while (true) {
      if (ended_) co_return std::size_t{0};
      if (!input_.empty() || in_.has_more()) {
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
      const std::string packed = out_.pack(piece, octets.empty());
      auto written = co_await under_->write(packed, deadline);
      if (!written) co_return written;
    }
    co_return Result<void, IoError>();
  }

  Task<void> shutdown(Deadline deadline) override { co_await under_->shutdown(deadline); }
  void close() override { under_->close(); }
  [[nodiscard]] const async::Peer& peer() const override { return under_->peer(); }
  [[nodiscard]] bool has_pending() const override {
    return !input_.empty() || in_.has_more() || under_->has_pending();
  }

 private:
  Result<std::size_t, IoError> inflate_some(async::Buffer& into) {
    std::string piece;
    std::string_view packed = input_.view();
    const std::size_t before = packed.size();
    const Inflater::State state = in_.unpack(packed, piece_size, piece);
    input_.consume(before - packed.size());
    if (state == Inflater::State::broken)
      return fail(IoError(EBADMSG, "inflate", std::string(in_.error())));
    ended_ = state == Inflater::State::ended;
    into.append(piece);
    return piece.size();
  }

  std::unique_ptr<async::Stream> under_;
  async::Buffer input_;
  Deflater out_;
  Inflater in_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<async::Stream> make_deflate_stream(std::unique_ptr<async::Stream> under,
                                                   std::string already_read,
                                                   const DeflateSettings& settings) {
  return std::make_unique<DeflateStream>(std::move(under), std::move(already_read), settings);
}

}  // namespace posthorn::session
