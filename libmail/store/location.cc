#include "libmail/store/location.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

StoreError bad(std::string why) {
  return {StoreError::Kind::bad_name, std::move(why)};
}

// One name of the form with the variables filled in.
struct Part {
  std::string text;
  bool from_user = false;  // a variable other than the home was in it
};

Result<Part, StoreError> fill_in(std::string_view name, const MailUser& user) {
  Part part;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      part.text.push_back(name[i]);
      continue;
    }
    const char variable = ++i < name.size() ? name[i] : '\0';
    switch (variable) {
      case '%':
        part.text.push_back('%');
        break;
      case 'u':
        part.text += user.name;
        part.from_user = true;
        break;
      case 'n':
        part.text += user.local;
        part.from_user = true;
        break;
      case 'd':
        part.text += lower(user.domain);
        part.from_user = true;
        break;
      default:
        return fail(bad("a mail location knows %u %n %d %h and %%, not \"%" +
                        printable(name.substr(i, 1)) + "\""));
    }
  }
  return part;
}

Result<MailFormat, StoreError> take_format(std::string_view& form) {
  if (istarts_with(form, "maildir:")) {
    form.remove_prefix(8);
    return MailFormat::maildir;
  }
  if (istarts_with(form, "mbox:")) {
    form.remove_prefix(5);
    return MailFormat::mbox;
  }
  return fail(
      bad("a mail location begins with maildir: or mbox:, not \"" + printable(form) + "\""));
}

// The home in front of the path, if the form begins with it.
StoreResult<std::string> take_home(std::string_view& form, const MailUser& user) {
  const bool tilde = form == "~" || form.starts_with("~/");
  const bool home = form == "%h" || form.starts_with("%h/");
  if (!tilde && !home) return std::string();
  if (!user.home.starts_with('/')) {
    return fail(bad("the mail location needs a home, and user \"" + printable(user.name) +
                    "\" has none that is an absolute path"));
  }
  form.remove_prefix(tilde ? 1 : 2);
  return user.home;
}

}  // namespace

std::string MailLocation::path() const {
  std::string path;
  std::size_t size = base.size();
  for (const std::string& component : components) size += 1 + component.size();
  path.reserve(size);
  path.append(base);
  for (const std::string& component : components) path.append("/").append(component);
  return path;
}

bool is_safe_component(std::string_view name) {
  if (name.empty() || name.size() > 255 || name.front() == '.') return false;
  for (const char c : name) {
    if (c == '/' || static_cast<unsigned char>(c) < 32 || c == 127) return false;
  }
  return true;
}

MailUser::MailUser(std::string user, std::string its_home)
    : name(std::move(user)), local(name.substr(0, name.rfind('@'))), home(std::move(its_home)) {
  const std::size_t at = name.rfind('@');
  if (at != std::string::npos) domain = name.substr(at + 1);
}

StoreResult<MailLocation> make_mail_location(std::string_view form, const MailUser& user) {
  auto format = take_format(form);
  if (!format) return fail(std::move(format.error()));
  auto home = take_home(form, user);
  if (!home) return fail(std::move(home.error()));

  MailLocation location;
  location.format = *format;
  location.base = std::move(*home);
  bool below_base = !location.base.empty();
  if (!below_base && !form.starts_with('/')) {
    return fail(
        bad("the path of a mail location begins with / or ~/, not \"" + printable(form) + "\""));
  }
  // Dovecot's further settings would change what the path means.
  if (form.find(':') != std::string_view::npos) {
    return fail(bad("nothing may follow the path of a mail location: \"" + printable(form) + "\""));
  }
  const std::vector<std::string_view> names = split(form, '/');
  location.base.reserve(location.base.size() + form.size());
  location.components.reserve(names.size());
  for (const std::string_view name : names) {
    if (name.empty()) continue;
    auto part = fill_in(name, user);
    if (!part) return fail(std::move(part.error()));
    if (part->from_user) below_base = true;
    if (!below_base) {
      location.base.append("/").append(part->text);
      continue;
    }
    if (!is_safe_component(part->text)) {
      return fail(bad("\"" + printable(part->text) +
                      "\" can't be the name of a directory of user \"" + printable(user.name) +
                      "\""));
    }
    location.components.push_back(std::move(part->text));
  }
  if (location.base.empty()) location.base = "/";
  return location;
}

namespace {

// Decodes UTF-8 that was checked before into UTF-16.
std::u16string utf16(std::string_view utf8) {
  std::u16string out;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      point = point << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3fu);
    }
    i += length;
    if (point < 0x10000) {
      out.push_back(static_cast<char16_t>(point));
    } else {
      point -= 0x10000;
      out.push_back(static_cast<char16_t>(0xd800 + (point >> 10)));
      out.push_back(static_cast<char16_t>(0xdc00 + (point & 0x3ff)));
    }
  }
  return out;
}

// RFC 3501 5.1.3: "&" + base64 of UTF-16 without "=" and with "," for "/" + "-".
void append_modified_utf7(std::string_view name, std::string& out) {
  for (std::size_t i = 0; i < name.size();) {
    if (name[i] == '&') out += "&-";
    if (name[i] >= 32 && name[i] < 127) {
      if (name[i] != '&') out.push_back(name[i]);
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < name.size() && is_8bit(name[end])) ++end;
    std::string octets;
    for (const char16_t unit : utf16(name.substr(i, end - i))) {
      octets.push_back(static_cast<char>(unit >> 8));
      octets.push_back(static_cast<char>(unit & 0xff));
    }
    std::string code = encode_base64(octets);
    while (code.ends_with('=')) code.pop_back();
    for (char& c : code) {
      if (c == '/') c = ',';
    }
    out.append("&").append(code).append("-");
    i = end;
  }
}

}  // namespace

StoreResult<std::string> maildir_folder_directory(std::string_view folder) {
  if (folder.empty() || iequals(folder, "INBOX")) return std::string();
  if (!is_utf8(folder))
    return fail(bad("the folder name \"" + printable(folder) + "\" is no UTF-8"));
  std::string name(folder);
  for (char& c : name) {
    if (c == '/') c = '.';
  }
  std::string out;
  for (const std::string_view level : split(name, '.')) {
    if (!is_safe_component(level) || level.front() == '~') {
      return fail(bad("\"" + printable(folder) + "\" can't be a folder: \"" + printable(level) +
                      "\" is no name"));
    }
    out.push_back('.');
    append_modified_utf7(level, out);
  }
  if (out.size() > 255)
    return fail(bad("the folder name \"" + printable(folder, 64) + "\" is too long"));
  return out;
}

StoreResult<MailLocation> make_mail_location(std::string_view form, const MailUser& user,
                                             const std::vector<std::string>& directories) {
  auto location = make_mail_location(form, user);
  if (!location || lies_below(location->path(), directories)) return location;
  return fail(bad(location->path() + " is in none of mail-directories; add its directory there"));
}

bool lies_below(const std::string& path, const std::vector<std::string>& directories) {
  const std::string normal = std::filesystem::path(path).lexically_normal().string();
  const auto holds = [&normal](const std::string& directory) {
    if (!normal.starts_with(directory)) return false;
    return normal.size() == directory.size() || directory.ends_with('/') ||
           normal[directory.size()] == '/';
  };
  return directories.empty() || std::ranges::any_of(directories, holds);
}

}  // namespace posthorn::store
