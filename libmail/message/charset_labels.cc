// The labels of the WHATWG Encoding Standard, and a few more that mail uses.
#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/message/charset.h"

namespace posthorn::message {

namespace {

struct Names {
  Charset charset;
  std::string_view name;
  std::string_view labels;  // lower case, between blanks
};

constexpr std::array<Names, 37> known = {{
    {Charset::utf_8, "UTF-8",
     " unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8 "},
    {Charset::ibm866, "IBM866", " 866 cp866 csibm866 ibm866 "},
    {Charset::iso_8859_2, "ISO-8859-2",
     " csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2 "},
    {Charset::iso_8859_3, "ISO-8859-3",
     " csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3 "},
    {Charset::iso_8859_4, "ISO-8859-4",
     " csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4 "},
    {Charset::iso_8859_5, "ISO-8859-5",
     " csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 "
     "iso_8859-5:1988 "},
    {Charset::iso_8859_6, "ISO-8859-6",
     " arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
     "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987 "},
    {Charset::iso_8859_7, "ISO-8859-7",
     " csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 "
     "iso_8859-7 iso_8859-7:1987 sun_eu_greek "},
    {Charset::iso_8859_8, "ISO-8859-8",
     " csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 "
     "iso_8859-8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical "},
    {Charset::iso_8859_10, "ISO-8859-10",
     " csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6 "},
    {Charset::iso_8859_13, "ISO-8859-13", " iso-8859-13 iso8859-13 iso885913 "},
    {Charset::iso_8859_14, "ISO-8859-14", " iso-8859-14 iso8859-14 iso885914 "},
    {Charset::iso_8859_15, "ISO-8859-15",
     " csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9 latin-9 latin9 "},
    {Charset::iso_8859_16, "ISO-8859-16", " iso-8859-16 "},
    {Charset::koi8_r, "KOI8-R", " cskoi8r koi koi8 koi8-r koi8_r "},
    {Charset::koi8_u, "KOI8-U", " koi8-ru koi8-u "},
    {Charset::macintosh, "macintosh", " csmacintosh mac macintosh x-mac-roman macroman "},
    {Charset::windows_874, "windows-874",
     " dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 tis620 windows-874 cp874 "},
    {Charset::windows_1250, "windows-1250", " cp1250 windows-1250 x-cp1250 "},
    {Charset::windows_1251, "windows-1251", " cp1251 windows-1251 x-cp1251 "},
    {Charset::windows_1252, "windows-1252",
     " ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 "
     "iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 latin-1 us-ascii windows-1252 x-cp1252 "},
    {Charset::windows_1253, "windows-1253", " cp1253 windows-1253 x-cp1253 "},
    {Charset::windows_1254, "windows-1254",
     " cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 "
     "latin5 windows-1254 x-cp1254 "},
    {Charset::windows_1255, "windows-1255", " cp1255 windows-1255 x-cp1255 "},
    {Charset::windows_1256, "windows-1256", " cp1256 windows-1256 x-cp1256 "},
    {Charset::windows_1257, "windows-1257", " cp1257 windows-1257 x-cp1257 "},
    {Charset::windows_1258, "windows-1258", " cp1258 windows-1258 x-cp1258 "},
    {Charset::x_mac_cyrillic, "x-mac-cyrillic", " x-mac-cyrillic x-mac-ukrainian "},
    {Charset::utf_16be, "UTF-16BE", " unicodefffe utf-16be "},
    {Charset::utf_16le, "UTF-16LE",
     " csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le "},
    {Charset::gb18030, "gb18030",
     " gb18030 chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk "
     "cp936 ms936 euc-cn "},
    {Charset::big5, "Big5", " big5 big5-hkscs cn-big5 csbig5 x-x-big5 cp950 "},
    {Charset::euc_jp, "EUC-JP", " cseucpkdfmtjapanese euc-jp x-euc-jp "},
    {Charset::iso_2022_jp, "ISO-2022-JP", " csiso2022jp iso-2022-jp "},
    {Charset::shift_jis, "Shift_JIS",
     " csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis cp932 "},
    {Charset::euc_kr, "EUC-KR",
     " cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 "
     "ksc_5601 windows-949 cp949 uhc "},
    {Charset::replacement, "replacement",
     " csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr replacement "},
}};

constexpr std::size_t longest_label = 40;

}  // namespace

std::optional<Charset> find_charset(std::string_view label) {
  label = trim(label);
  if (label.empty() || label.size() > longest_label) return std::nullopt;
  if (label.find(' ') != std::string_view::npos) return std::nullopt;
  const std::string wanted = " " + lower(label) + " ";
  for (const Names& names : known) {
    if (names.labels.find(wanted) != std::string_view::npos) return names.charset;
  }
  return std::nullopt;
}

bool is_forbidden_label(std::string_view label) {
  return find_charset(label) == Charset::replacement ||
         lower(label).find("utf-7") != std::string::npos;
}

std::string_view charset_name(Charset charset) {
  const auto* found = std::ranges::find(known, charset, &Names::charset);
  return found == known.end() ? std::string_view() : found->name;
}

}  // namespace posthorn::message
