#include "agents/dnsd/worker_channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace posthorn::dnsd {

namespace {

// A client's packet has 4096 octets at most; all else that is longer is a file.
constexpr std::size_t longest_note = 8192;
// Notes taken before other work has its turn.
constexpr int notes_a_turn = 64;

template <class T>
void append_value(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
bool take_value(std::string_view& in, T& value) {
  if (in.size() < sizeof value) return false;
  std::copy_n(in.begin(), sizeof value, reinterpret_cast<char*>(&value));
  in.remove_prefix(sizeof value);
  return true;
}
void append_text(std::string& out, std::string_view text) {
  append_value(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}
bool take_text(std::string_view& in, std::string_view& text) {
  std::uint32_t size = 0;
  if (!take_value(in, size) || size > in.size()) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

// The first descriptor that came along; others are closed.
Fd received_file(msghdr& message) {
  Fd file;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      Fd taken(descriptor);
      if (!file) file = std::move(taken);
    }
  }
  return file;
}

}  // namespace

std::string encode_note(const WorkerNote& note) {
  std::string out;
  append_value(out, static_cast<std::uint8_t>(note.kind));
  append_value(out, note.id);
  out += note.text;
  return out;
}

std::optional<WorkerNote> decode_note(std::string_view octets) {
  WorkerNote note;
  std::uint8_t kind = 0;
  if (!take_value(octets, kind) || !take_value(octets, note.id)) return std::nullopt;
  if (kind < static_cast<std::uint8_t>(WorkerNote::Kind::zone) ||
      kind > static_cast<std::uint8_t>(WorkerNote::Kind::packet))
    return std::nullopt;
  note.kind = static_cast<WorkerNote::Kind>(kind);
  note.text = octets;
  return note;
}

std::string encode_packet(const PassedPacket& packet) {
  std::string out;
  append_text(out, packet.listener);
  append_text(out, {reinterpret_cast<const char*>(&packet.way.peer), packet.way.peer_octets});
  append_text(out, {packet.way.control.data(), packet.way.used});
  out += packet.packet;
  return out;
}

std::optional<PassedPacket> decode_packet(std::string_view octets) {
  PassedPacket packet;
  std::string_view listener;
  std::string_view peer;
  std::string_view control;
  if (!take_text(octets, listener) || !take_text(octets, peer) || !take_text(octets, control) ||
      peer.size() < sizeof(sa_family_t) || peer.size() > sizeof packet.way.peer ||
      control.size() > packet.way.control.size())
    return std::nullopt;
  packet.listener = listener;
  std::memcpy(&packet.way.peer, peer.data(), peer.size());
  packet.way.peer_octets = static_cast<socklen_t>(peer.size());
  std::copy(control.begin(), control.end(), packet.way.control.begin());
  packet.way.used = control.size();
  packet.packet = octets;
  return packet;
}

Result<Fd, IoError> text_file(std::string_view text) {
  Fd file(::memfd_create("dnsd", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail(io_error("make a file in memory"));
  if (!write_all(file.get(), text)) return fail(io_error("write a file in memory"));
  // Who reads it need not fear that it shrinks meanwhile.
  constexpr int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, seals) != 0) return fail(io_error("seal a file in memory"));
  return file;
}

std::optional<TextView> TextView::of(const Fd& file) {
  struct stat facts{};
  const int seals = file ? ::fcntl(file.get(), F_GET_SEALS) : -1;
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || ::fstat(file.get(), &facts) != 0)
    return std::nullopt;
  const auto octets = static_cast<std::size_t>(facts.st_size);
  if (octets == 0) return TextView(std::string_view());
  void* at = ::mmap(nullptr, octets, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (at == MAP_FAILED) return std::nullopt;
  return TextView({static_cast<const char*>(at), octets});
}

TextView::~TextView() {
  if (!text_.empty()) ::munmap(const_cast<char*>(text_.data()), text_.size());
}

WorkerChannel::WorkerChannel(Fd socket, std::function<void(WorkerNote)> on_note,
                             std::function<void()> on_end)
    : socket_(std::move(socket)),
      on_note_(std::move(on_note)),
      on_end_(std::move(on_end)),
      watch_(socket_.get(),
             [this](bool readable, bool writable) { on_ready(readable, writable); }) {
  watch_.want(true, false);
}

void WorkerChannel::send(WorkerNote note) {
  if (has_ended_) return;
  unsent_.push_back(std::move(note));
  if (unsent_.size() == 1) write();
}

bool WorkerChannel::send_if_room(const WorkerNote& note) {
  return !has_ended_ && unsent_.empty() && write_one(note);
}

void WorkerChannel::finish() {
  unsent_.clear();
  has_room_.set();
  ::shutdown(socket_.get(), SHUT_WR);
}

void WorkerChannel::on_ready(bool readable, bool writable) {
  if (writable) write();
  if (readable) read();
}

void WorkerChannel::read() {
  for (int turn = 0; turn < notes_a_turn && !has_ended_; ++turn) {
    std::array<char, longest_note> octets;
    iovec content{octets.data(), octets.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = rights.data();
    message.msg_controllen = rights.size();
    const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return end();
    auto note = decode_note({octets.data(), static_cast<std::size_t>(count)});
    auto file = received_file(message);
    if (!note || (message.msg_flags & MSG_TRUNC) != 0) continue;
    if (file) note->file = std::make_shared<const Fd>(std::move(file));
    on_note_(std::move(*note));
  }
}

void WorkerChannel::end() {
  has_ended_ = true;
  watch_.want(false, false);
  unsent_.clear();
  has_room_.set();
  on_end_();
}

void WorkerChannel::write() {
  while (!unsent_.empty() && write_one(unsent_.front())) unsent_.pop_front();
  watch_.want(!has_ended_, !unsent_.empty());
  if (unsent_.empty()) has_room_.set();
}

async::Task<void> WorkerChannel::wait_for_room() {
  if (unsent_.empty()) co_return;
  has_room_.reset();
  co_await has_room_.wait();
}

// False if there is no room now. What can't be sent at all counts as sent: the other side is gone,
// which reading tells.
bool WorkerChannel::write_one(const WorkerNote& note) {
  std::string octets = encode_note(note);
  iovec content{octets.data(), octets.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> rights{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (note.file) {
    message.msg_control = rights.data();
    message.msg_controllen = rights.size();
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    const int descriptor = note.file->get();
    std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
  }
  const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent >= 0 ||
         (errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ETOOMANYREFS);
}

}  // namespace posthorn::dnsd
