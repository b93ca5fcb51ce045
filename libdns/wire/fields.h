// What each type of record consists of, said once: five codecs (read, check, write, to text, from
// text) walk the same description. Inside libdns/wire only.
#pragma once

#include <concepts>
#include <type_traits>

#include "libdns/wire/record.h"

namespace posthorn::dns {

// How a name inside RDATA is treated (RFC 3597 4, RFC 4034 6.2 as corrected by RFC 6840 5.1).
enum class NameForm {
  well_known,  // RFC 1035's types: compressed both ways, lower case in canonical form
  tolerated,   // read compressed, because it was allowed once; never written so
  folded,      // never compressed, lower case in canonical form
  kept,        // never compressed, case kept
};

template <class T, class... Types>
concept Like = (std::same_as<std::remove_const_t<T>, Types> || ...);

void fields(auto& f, Like<A, Aaaa> auto& one) {
  f.address("address", one);
}
void fields(auto& f, Like<Ns> auto& ns) {
  f.name("host", ns.host, NameForm::well_known);
}
void fields(auto& f, Like<Cname, Ptr> auto& one) {
  f.name("target", one.target, NameForm::well_known);
}
void fields(auto& f, Like<Dname> auto& dname) {
  f.name("target", dname.target, NameForm::folded);
}
void fields(auto& f, Like<Soa> auto& soa) {
  f.name("primary", soa.primary, NameForm::well_known);
  f.name("mailbox", soa.mailbox, NameForm::well_known);
  f.u32("serial", soa.serial);
  f.period("refresh", soa.refresh);
  f.period("retry", soa.retry);
  f.period("expire", soa.expire);
  f.period("minimum", soa.minimum);
}
void fields(auto& f, Like<Mx> auto& mx) {
  f.u16("preference", mx.preference);
  f.name("exchange", mx.exchange, NameForm::well_known);
}
void fields(auto& f, Like<Txt, Spf> auto& txt) {
  f.strings("string", txt.strings);
}
void fields(auto& f, Like<Hinfo> auto& hinfo) {
  f.string("CPU", hinfo.cpu);
  f.string("OS", hinfo.os);
}
void fields(auto& f, Like<Srv> auto& srv) {
  f.u16("priority", srv.priority);
  f.u16("weight", srv.weight);
  f.u16("port", srv.port);
  f.name("target", srv.target, NameForm::tolerated);
}
void fields(auto& f, Like<Naptr> auto& naptr) {
  f.u16("order", naptr.order);
  f.u16("preference", naptr.preference);
  f.string("flags", naptr.flags);
  f.string("services", naptr.services);
  f.string("regexp", naptr.regexp);
  f.name("replacement", naptr.replacement, NameForm::tolerated);
}

void fields(auto& f, Like<Caa> auto& caa) {
  f.u8("flags", caa.flags);
  f.tag("tag", caa.tag);
  f.value("value", caa.value);
}
void fields(auto& f, Like<Tlsa, Smimea> auto& tlsa) {
  f.u8("usage", tlsa.usage);
  f.u8("selector", tlsa.selector);
  f.u8("matching type", tlsa.matching);
  f.hex("association", tlsa.association);
}
void fields(auto& f, Like<Openpgpkey> auto& openpgpkey) {
  f.base64("key", openpgpkey.key);
}
void fields(auto& f, Like<Sshfp> auto& sshfp) {
  f.u8("algorithm", sshfp.algorithm);
  f.u8("fingerprint type", sshfp.fingerprint_type);
  f.hex("fingerprint", sshfp.fingerprint);
}

void fields(auto& f, Like<Ds, Cds> auto& ds) {
  f.u16("key tag", ds.key_tag);
  f.algorithm("algorithm", ds.algorithm);
  f.u8("digest type", ds.digest_type);
  f.hex("digest", ds.digest);
}
void fields(auto& f, Like<Dnskey, Cdnskey> auto& key) {
  f.u16("flags", key.flags);
  f.u8("protocol", key.protocol);
  f.algorithm("algorithm", key.algorithm);
  f.base64("key", key.key);
}
void fields(auto& f, Like<Rrsig> auto& rrsig) {
  f.type("type covered", rrsig.covered);
  f.algorithm("algorithm", rrsig.algorithm);
  f.u8("labels", rrsig.labels);
  f.period("original TTL", rrsig.original_ttl);
  f.time("expiration", rrsig.expiration);
  f.time("inception", rrsig.inception);
  f.u16("key tag", rrsig.key_tag);
  f.name("signer", rrsig.signer, NameForm::folded);
  f.base64("signature", rrsig.signature);
}
void fields(auto& f, Like<Nsec> auto& nsec) {
  f.name("next name", nsec.next, NameForm::kept);
  f.types("type", nsec.types);
}
void fields(auto& f, Like<Nsec3> auto& nsec3) {
  f.u8("hash algorithm", nsec3.algorithm);
  f.u8("flags", nsec3.flags);
  f.u16("iterations", nsec3.iterations);
  f.salt("salt", nsec3.salt);
  f.hash("next hashed owner", nsec3.next_hashed);
  f.types("type", nsec3.types);
}
void fields(auto& f, Like<Nsec3param> auto& param) {
  f.u8("hash algorithm", param.algorithm);
  f.u8("flags", param.flags);
  f.u16("iterations", param.iterations);
  f.salt("salt", param.salt);
}

void fields(auto& f, Like<Svcb, Https> auto& svcb) {
  f.u16("priority", svcb.priority);
  f.name("target", svcb.target, NameForm::kept);
  f.params("parameter", svcb.params);
}

void fields(auto& f, Like<Opt> auto& opt) {
  f.options("options", opt.options);
}
// The text is what dig writes; no RFC has one.
void fields(auto& f, Like<Tsig> auto& tsig) {
  f.name("algorithm", tsig.algorithm, NameForm::folded);
  f.u48("time signed", tsig.time_signed);
  f.u16("fudge", tsig.fudge);
  f.counted("MAC", tsig.mac);
  f.u16("original id", tsig.original_id);
  f.u16("error", tsig.error);
  f.counted("other data", tsig.other);
}

// Calls `use` with an empty value of the struct that is `type`; false if there is none.
template <std::size_t at = 0>
bool with_struct(Type type, auto&& use) {
  if constexpr (at + 1 == std::variant_size_v<AnyRdata>) {
    return false;
  } else {
    using One = std::variant_alternative_t<at, AnyRdata>;
    if (One::type != type) return with_struct<at + 1>(type, use);
    use(One());
    return true;
  }
}

}  // namespace posthorn::dns
