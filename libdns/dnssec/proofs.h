// The two kinds of proof behind denial.h. Inside libdns/dnssec only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libdns/dnssec/denial.h"

namespace posthorn::dns {

// What the type bitmap at a name says about one type there.
enum class Bits : std::uint8_t {
  denied,
  has_type,    // or CNAME, which would have been the answer
  wrong_side,  // of a zone cut: the parent about the child's types, the child about its DS
};
[[nodiscard]] Bits judge(const TypeBitmap& types, Type type, const Name& name);
// The zone ends here: names below are another zone's.
[[nodiscard]] bool is_delegation(const TypeBitmap& types);
// Names strictly below can't be denied by what stands here (RFC 6840 4.1, RFC 5155 8.3).
[[nodiscard]] bool hides_below(const TypeBitmap& types);
[[nodiscard]] bool is_below(const Name& name, const Name& ancestor);
// Its last `count` labels.
[[nodiscard]] Name last_labels(const Name& name, std::size_t count);
[[nodiscard]] Name wildcard_of(const Name& encloser);
[[nodiscard]] Verdict not_proven(std::string why);

// RFC 4035 5.4.
class NsecProofs {
 public:
  explicit NsecProofs(const Denials& denials);
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] Verdict denies_name(const Name& name) const;
  [[nodiscard]] Verdict denies_type(const Name& name, Type type) const;
  [[nodiscard]] Verdict denies_closer_name(const Name& name, const Name& wildcard) const;
  [[nodiscard]] DsDenial denies_ds(const Name& name) const;

 private:
  struct One {
    Name owner;
    Nsec data;
  };
  [[nodiscard]] const One* match(const Name& name) const;
  // Whose span the name lies in; the name may still exist as the parent of others.
  [[nodiscard]] const One* cover(const Name& name) const;
  // One that shows that nothing is at the name, nor below.
  [[nodiscard]] const One* absence(const Name& name) const;
  // Denied, or empty if nothing here speaks about the name.
  [[nodiscard]] std::optional<Bits> bits(const Name& name, Type type) const;
  static Name closest_encloser(const Name& name, const One& covering);
  Name zone_;
  std::vector<One> all_;
};

// RFC 5155 8.
class Nsec3Proofs {
 public:
  Nsec3Proofs(const Denials& denials, CryptoBudget& budget);
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] Verdict denies_name(const Name& name);
  [[nodiscard]] Verdict denies_type(const Name& name, Type type);
  [[nodiscard]] Verdict denies_closer_name(const Name& name, const Name& wildcard);
  [[nodiscard]] DsDenial denies_ds(const Name& name);

 private:
  struct One {
    std::string hash;
    Nsec3 data;
    [[nodiscard]] bool is_opt_out() const { return (data.flags & Nsec3::opt_out) != 0; }
  };
  // Closest encloser proof (RFC 5155 8.3).
  struct Encloser {
    Name name;
    const One* next_closer;  // covers it
  };
  void add(const RrSet& set);
  // What makes further work needless: mixed chains, too many iterations, nothing left to spend.
  [[nodiscard]] const std::optional<Verdict>& obstacle() const { return obstacle_; }
  [[nodiscard]] const std::string* hash(const Name& name);
  [[nodiscard]] const One* match(const Name& name);
  [[nodiscard]] const One* cover(const Name& name);
  [[nodiscard]] std::optional<Encloser> find_encloser(const Name& name);
  // An obstacle if one came up, else bogus for this reason.
  [[nodiscard]] Verdict failed(std::string why) const;
  // Secure, or insecure if that rests on an opt-out span.
  [[nodiscard]] Verdict proven(const Name& name, const One& next_closer) const;

  Name zone_;
  CryptoBudget& budget_;
  std::vector<One> all_;
  std::vector<std::pair<Name, std::string>> hashes_;
  std::optional<Verdict> obstacle_;
};

}  // namespace posthorn::dns
