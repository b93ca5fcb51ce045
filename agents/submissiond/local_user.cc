#include "agents/submissiond/local_user.h"

#include <pwd.h>
#include <unistd.h>

#include <vector>

#include "libmail/async/files.h"

namespace posthorn::submissiond {

namespace {

std::string name_of(uid_t uid) {
  std::vector<char> buffer(1 << 14);
  passwd entry{};
  passwd* found = nullptr;
  const int result = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  if (result != 0 || found == nullptr) return std::to_string(uid);
  return found->pw_name;
}

}  // namespace

async::Task<LocalUser> find_local_user(async::Peer peer, bool own_site) {
  LocalUser user;
  if (peer.kind == async::Peer::Kind::inet) co_return user;
  const uid_t uid = peer.kind == async::Peer::Kind::stdio ? ::getuid() : peer.uid;
  user.is_local = true;
  user.is_root = uid == 0 || (own_site && uid == ::geteuid());
  auto look = [uid] { return name_of(uid); };
  user.name = co_await async::blocking(std::move(look));
  co_return user;
}

}  // namespace posthorn::submissiond
