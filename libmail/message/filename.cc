#include "libmail/message/filename.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/message/characters.h"
#include "libmail/message/utf8.h"

namespace posthorn::message {

namespace {

constexpr std::size_t longest_name = 200;      // octets; file systems allow 255
constexpr std::size_t longest_extension = 20;  // octets with its dot

// Between blanks. What a click runs, on Windows, macOS or a desktop of Linux.
constexpr std::string_view runs =
    " exe com bat cmd scr pif cpl msi msp mst msc vb vbs vbe js jse wsf wsh wsc hta jar ps1 psm1 "
    "lnk url "
    "reg inf scf sct shb shs application gadget chm appx msix msixbundle appinstaller dll sys ocx "
    "app "
    "command pkg dmg workflow sh bash run desktop appimage deb rpm py pyw pl rb xll ade adp iso "
    "img vhd "
    "vhdx settingcontent-ms library-ms ";
constexpr std::string_view may_hold =
    " zip rar 7z gz tgz bz2 xz tar cab arj lzh ace z zst eml msg html htm xhtml mht mhtml svg xml "
    "swf pdf doc "
    "dot docm dotm xls xlt xlm xlsm xlsb xltm ppt pps pot pptm ppsm potm ppam sldm rtf one onepkg "
    "docx xlsx "
    "pptx odt ods odp ";
constexpr std::string_view harmless =
    " txt text log csv jpg jpeg png gif bmp tif tiff webp heic mp3 mp4 wav avi mov mkv ics vcf md "
    "json ";

bool listed(std::string_view list, std::string_view extension) {
  if (extension.empty() || extension.find(' ') != std::string_view::npos) return false;
  return list.find(" " + lower(extension) + " ") != std::string_view::npos;
}

// What a file system would make of it: nothing invisible, nothing behind the last letter.
std::string visible(std::string_view name) {
  const std::string mended = repair_utf8(name);
  std::string out;
  for (std::string_view rest = mended; !rest.empty();) {
    const char32_t c = take_code_point(rest);
    if (is_control(c) || is_invisible(c)) continue;
    append_utf8(out, is_odd_space(c) ? U' ' : c);
  }
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.pop_back();
  return out;
}

std::string_view extension_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

bool is_device(std::string_view name) {
  const std::string stem = lower(trim(name.substr(0, name.find('.'))));
  constexpr std::array<std::string_view, 6> devices = {"con", "prn",    "aux",
                                                       "nul", "conin$", "conout$"};
  if (std::ranges::find(devices, stem) != devices.end()) return true;
  if (!stem.starts_with("com") && !stem.starts_with("lpt")) return false;
  const std::string_view number = std::string_view(stem).substr(3);
  constexpr std::array<std::string_view, 3> raised = {"\xc2\xb9", "\xc2\xb2", "\xc2\xb3"};
  return (number.size() == 1 && is_digit(number[0])) ||
         std::ranges::find(raised, number) != raised.end();
}

// Cuts to longest_name octets between two characters, the extension kept.
std::string shortened(const std::string& name) {
  if (name.size() <= longest_name) return name;
  const std::size_t dot = name.rfind('.');
  std::string extension;
  if (dot != std::string::npos && name.size() - dot <= longest_extension)
    extension = name.substr(dot);
  std::size_t size = longest_name - extension.size();
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) --size;
  std::string stem = name.substr(0, size);
  while (stem.ends_with('.') || stem.ends_with(' ')) stem.pop_back();
  return stem + extension;
}

}  // namespace

Filename part_filename(const ParameterList* disposition, const ParameterList* type) {
  Filename result;
  const auto consider = [&result](const std::string& name) {
    if (name.empty() || name == result.name) return;
    if (result.name.empty()) {
      result.name = name;
      return;
    }
    result.conflicting = true;
    if (filename_danger(name) > filename_danger(result.name)) result.name = name;
  };
  const auto look_at = [&consider](const ParameterList* list, std::string_view name) {
    const Parameter* found = list == nullptr ? nullptr : list->find(name);
    if (found == nullptr) return;
    consider(found->value);
    consider(found->plain);
  };
  look_at(disposition, "filename");
  look_at(type, "name");
  return result;
}

std::string filename_for_disk(std::string_view name, std::string_view otherwise) {
  std::string safe = visible(name);
  const std::size_t slash = safe.find_last_of("/\\");
  if (slash != std::string::npos) safe.erase(0, slash + 1);
  for (char& c : safe) {
    if (std::string_view("<>:\"|?*").find(c) != std::string_view::npos) c = '_';
  }
  safe.erase(0, std::min(safe.find_first_not_of(". "), safe.size()));
  if (safe.empty()) return std::string(otherwise);
  // An option to a command, a home directory, a device of Windows.
  if (safe.front() == '-' || safe.front() == '~') safe.front() = '_';
  if (is_device(safe)) safe.insert(0, "_");
  return shortened(safe);
}

std::string filename_for_display(std::string_view name) {
  const std::string mended = repair_utf8(name);
  std::string out;
  bool turned = false;
  for (std::string_view rest = mended; !rest.empty();) {
    const char32_t c = take_code_point(rest);
    turned |= is_right_to_left(c);
    if (is_control(c) || is_invisible(c)) {
      out += fmt::format("<U+{:04X}>", static_cast<std::uint32_t>(c));
    } else {
      append_utf8(out, c);
    }
  }
  return turned ? "\u2068" + out + "\u2069" : out;
}

int filename_danger(std::string_view name) {
  const std::string seen = visible(name);
  const std::string_view extension = extension_of(seen);
  if (listed(runs, extension)) return 2;
  return listed(may_hold, extension) ? 1 : 0;
}

bool has_hidden_extension(std::string_view name) {
  if (filename_danger(name) != 2) return false;
  const std::string seen = visible(name);
  const std::string mended = repair_utf8(name);
  for (std::string_view rest = mended; !rest.empty();) {
    const char32_t c = take_code_point(rest);
    if (is_invisible(c) || is_control(c)) return true;
  }
  const std::string_view stem = std::string_view(seen).substr(0, seen.rfind('.'));
  if (stem.ends_with("   ") || stem.ends_with("___")) return true;
  const std::string_view inner = extension_of(trim(stem));
  return listed(may_hold, inner) || listed(harmless, inner);
}

}  // namespace posthorn::message
