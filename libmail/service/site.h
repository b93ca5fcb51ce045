// A site: one directory with conf/, queue/, mail/, run/, ... (or the same spread over /etc,
// /var/lib and /run), and the keys of posthorn.toml that every agent understands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace posthorn::service {

inline constexpr std::string_view system_site = "/etc/posthorn";

class Site {
 public:
  // `directory` as given by --site; "" = $POSTHORN_SITE, else /etc/posthorn. Made absolute,
  // symbolic links kept.
  static Site find(const std::string& directory);

  [[nodiscard]] const std::string& directory() const { return directory_; }
  // The site of the machine: switches users, and lies in /etc/posthorn, /var/lib/posthorn,
  // /run/posthorn and /var/log/posthorn. Every other site is somebody's own and lies in its
  // directory.
  [[nodiscard]] bool is_system() const { return directory_ == system_site; }
  // The absolute path of a name inside the site: "conf/users", "run/smtp.sock", "queue". Absolute
  // ones stay as they are.
  [[nodiscard]] std::string path(std::string_view name) const;

 private:
  explicit Site(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
};

// What Landlock wants to know of a file: a rule on the file would not cover the one renamed over it. "/" for a name
// without a directory.
[[nodiscard]] std::string directory_of(const std::string& path);

// Keys that posthorn.toml may hold. An agent that declares an option of such a name takes its value
// from there unless its own file or a flag says otherwise.
[[nodiscard]] const std::vector<std::string>& site_keys();

}  // namespace posthorn::service
