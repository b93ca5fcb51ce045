#include "libmail/tls/certificate.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

namespace posthorn::tls {
namespace {

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using CertificatePtr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using BioPtr = std::unique_ptr<BIO, Free>;

constexpr long day = 24L * 3600;
constexpr long ca_days = 3650;
constexpr long server_days = 397;  // what browsers and mail clients accept at most

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string to_pem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return contents(bio.get());
}

std::string to_pem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return contents(bio.get());
}

BioPtr reading(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

CertificatePtr make_certificate(EVP_PKEY* key, const std::string& common_name, long days) {
  CertificatePtr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  unsigned char serial[16];
  RAND_bytes(serial, sizeof serial);
  serial[0] &= 0x7f;  // a serial number is positive
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(serial, sizeof serial, nullptr), &BN_free);
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -day);  // clients' clocks differ
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * day);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return certificate;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return true;
}

bool is_address(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  const bool found = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  return found;
}

}  // namespace

Result<CertifiedKey, std::string> make_ca(const std::string& name) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return fail(std::string("no key could be made"));
  const CertificatePtr certificate = make_certificate(key.get(), name, ca_days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  const bool extended =
      add_extension(certificate.get(), certificate.get(), NID_basic_constraints,
                    "critical,CA:TRUE,pathlen:0") &&
      add_extension(certificate.get(), certificate.get(), NID_key_usage,
                    "critical,keyCertSign,cRLSign") &&
      add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
  if (!extended || X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) {
    return fail(std::string("the CA certificate could not be signed"));
  }
  CertifiedKey made;
  made.certificate_pem = to_pem(certificate.get());
  made.key_pem = to_pem(key.get());
  return made;
}

Result<CertifiedKey, std::string> issue(const CertifiedKey& ca,
                                        const std::vector<std::string>& names) {
  const CertificatePtr issuer(
      PEM_read_bio_X509(reading(ca.certificate_pem).get(), nullptr, nullptr, nullptr));
  const KeyPtr issuer_key(
      PEM_read_bio_PrivateKey(reading(ca.key_pem).get(), nullptr, nullptr, nullptr));
  if (!issuer || !issuer_key) return fail(std::string("the CA is no PEM certificate and key"));
  if (names.empty()) return fail(std::string("a server certificate needs a name"));
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate = make_certificate(key.get(), names.front(), server_days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
  std::string alternatives;
  for (const std::string& name : names) {
    if (name.find_first_of(",\n\r") != std::string::npos)
      return fail(fmt::format("'{}' is no host name", name));
    if (!alternatives.empty()) alternatives.push_back(',');
    alternatives.append(is_address(name) ? "IP:" : "DNS:").append(name);
  }
  const bool extended =
      add_extension(certificate.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(certificate.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") &&
      add_extension(certificate.get(), issuer.get(), NID_ext_key_usage, "serverAuth") &&
      add_extension(certificate.get(), issuer.get(), NID_authority_key_identifier, "keyid") &&
      add_extension(certificate.get(), issuer.get(), NID_subject_alt_name, alternatives);
  if (!extended || X509_sign(certificate.get(), issuer_key.get(), EVP_sha256()) == 0) {
    return fail(fmt::format("the certificate for {} could not be signed", alternatives));
  }
  CertifiedKey made;
  made.certificate_pem = to_pem(certificate.get());
  made.key_pem = to_pem(key.get());
  return made;
}

Result<long, std::string> days_left(const std::string& certificate_file) {
  const BioPtr file(BIO_new_file(certificate_file.c_str(), "r"));
  if (!file) return fail(fmt::format("{} can't be read", certificate_file));
  const CertificatePtr certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail(fmt::format("{} is no PEM certificate", certificate_file));
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get())) != 1) {
    return fail(fmt::format("{} has no readable end date", certificate_file));
  }
  return seconds < 0 ? days - 1L : days;
}

}  // namespace posthorn::tls
