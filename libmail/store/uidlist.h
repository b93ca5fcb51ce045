// dovecot-uidlist: the UIDs of a Maildir, shared with Dovecot and, read once, with Courier. Sans
// I/O; the file, its lock and its syncs are in uidlist_file.h.
//
//   3 V1795378460 N8 G3085f01b7f11094c501100008c4a11c1       version, UIDVALIDITY, next UID, GUID
//   of the mailbox 6 W4101 Pold-uidl :1795378460.M123456P812Q7.host         UID, fields, base name
//   7 :1795378461.M9P812Q8.host,S=1,W=2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::store {

struct UidRecord {
  std::uint32_t uid = 0;
  std::string fields;  // "W4101 Pold-uidl" as it stood in the line, "" if none; fields we don't
                       // know are kept
  std::string base;

  // The value of the field with this letter.
  [[nodiscard]] std::optional<std::string_view> field(char letter) const;
  void set_field(char letter, std::string_view value);
};

// Letters of Dovecot's fields that we read.
inline constexpr char uid_field_crlf_size = 'W';
inline constexpr char uid_field_pop3_uidl = 'P';
inline constexpr char uid_field_guid = 'G';  // of a copy: its original's

class UidList {
 public:
  // What was wrong in the text, for the log; every damaged line is dropped, and its message will
  // get a new UID.
  struct Damage {
    std::size_t line = 0;  // 1 is the header
    std::string why;
  };

  // Never fails: a header that can't be read gives an empty list without UIDVALIDITY. A last line
  // without LF is one that somebody is still writing, or was writing when the power went: it is
  // left out.
  static UidList parse(std::string_view text);

  std::uint32_t uid_validity = 0;  // 0: there is no list yet
  std::uint32_t next_uid = 1;
  std::string guid;                // 32 hex digits, "" if there is none yet
  std::string header_fields;       // those we don't know
  std::vector<UidRecord> records;  // ascending UIDs, no base twice

  std::vector<Damage> damage;  // the first few
  // The text can't just be continued: it is damaged, unfinished, of another version, or has no
  // GUID.
  bool must_rewrite = false;

  [[nodiscard]] std::string header() const;
  static void append_line(const UidRecord& record, std::string& out);
  [[nodiscard]] std::string text() const;

  static constexpr std::uint32_t last_uid = 0xfffffffe;  // Dovecot takes nothing above
};

// POP3's UIDL of a message (RFC 1939 7): the P field, else "%08Xu%08Xv" of UID and UIDVALIDITY,
// Dovecot's default. A P field that is no unique-id of RFC 1939 (1 to 70 octets of 0x21 to 0x7e) is
// passed over.
std::string uidl_text(const UidRecord& record, std::uint32_t uid_validity);

}  // namespace posthorn::store
