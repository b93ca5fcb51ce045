// Who may do what to a mailbox (RFC 4314), in the file format of Dovecot (`dovecot-acl`). Sans I/O.
//
//   user=bob lrws        group=staff lr        anyone l        owner lrwstipekxa        -user=eve lrw
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::store {

// RFC 4314 2.1, and its letters.
enum class Right : std::uint16_t {
  lookup = 1,            // l
  read = 2,              // r
  write_seen = 4,        // s
  write = 8,             // w
  insert = 16,           // i
  post = 32,             // p
  create = 64,           // k
  delete_mailbox = 128,  // x
  delete_message = 256,  // t
  expunge = 512,         // e
  administer = 1024,     // a
};

class Rights {
 public:
  Rights() = default;
  static Rights all();
  // RFC 4314 4: whoever has none of these may not know that the mailbox is there.
  static constexpr Right of_any_use[] = {Right::lookup, Right::read,           Right::insert,
                                         Right::create, Right::delete_mailbox, Right::administer};
  // What an owner keeps whatever the file says: to see it, and to change the file.
  static Rights of_owner();
  // Letters of RFC 4314; the obsolete c and d are kx and te. Others are passed over.
  static Rights parse(std::string_view letters);
  [[nodiscard]] std::string letters() const;  // "lrswipkxtea", those it has
  // The same for clients: with the obsolete c and d if a right is set that they meant (RFC 4314 2.1.1).
  [[nodiscard]] std::string letters_with_old() const;
  [[nodiscard]] bool has(Right right) const {
    return (bits_ & static_cast<std::uint16_t>(right)) != 0;
  }
  void add(Rights other) { bits_ |= other.bits_; }
  void remove(Rights other) { bits_ &= static_cast<std::uint16_t>(~other.bits_); }
  bool operator==(const Rights&) const = default;

 private:
  std::uint16_t bits_ = 0;
};

struct AclEntry {
  std::string identifier;  // "user=bob", "group=staff", "anyone", "authenticated", "owner"
  bool negative = false;   // takes rights away
  Rights rights;
};

class Acl {
 public:
  // Lines that can't be read are passed over.
  static Acl parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const std::vector<AclEntry>& entries() const { return entries_; }
  void set(
      AclEntry entry);  // replaces the one with the same identifier and sign; no rights: removes it
  // Dovecot's order: the most specific kind of identifier that matches decides (user, then owner, groups, authenticated, anyone),
  // and negative entries take away from it.
  [[nodiscard]] Rights rights_of(std::string_view user, const std::vector<std::string>& groups,
                                 bool is_owner) const;

 private:
  std::vector<AclEntry> entries_;
};

}  // namespace posthorn::store
