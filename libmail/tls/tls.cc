#include "libmail/tls/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "libmail/async/event.h"
#include "libmail/base/text.h"

namespace posthorn::tls {
namespace {

using async::Buffer;
using async::Deadline;
using async::Stream;
using async::Task;

// One TLS record's plaintext at most.
constexpr std::size_t record_size = 16 * 1024;

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;
using ContextPtr = std::unique_ptr<SSL_CTX, SslFree>;

// The oldest error OpenSSL has on its queue, in words; empties the queue.
std::string last_error(std::string_view fallback) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return std::string(fallback);
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : std::string(fallback);
}

ContextPtr make_context(const SSL_METHOD* method) {
  ContextPtr context(SSL_CTX_new(method));
  check(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // RELEASE_BUFFERS: an idle session keeps no record buffers. No renegotiation, no compression.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  return context;
}

class OpenSslServerContext final : public ServerContext {
 public:
  OpenSslServerContext(ContextPtr context, std::vector<std::string> alpn)
      : context_(std::move(context)), alpn_(std::move(alpn)) {
    if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context_.get(), &select_alpn, this);
  }
  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }

 private:
  // RFC 7301: a client whose protocols we do not speak is refused, so that a session for another
  // protocol can't be turned on us (ALPACA).
  static int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                         const unsigned char* in, unsigned in_size, void* argument) {
    const auto* self = static_cast<const OpenSslServerContext*>(argument);
    for (std::size_t at = 0; at < in_size && at + 1 + in[at] <= in_size; at += 1u + in[at]) {
      const std::string_view offered(reinterpret_cast<const char*>(in + at + 1), in[at]);
      for (const std::string& known : self->alpn_) {
        if (offered != known) continue;
        *out = in + at + 1;
        *out_size = in[at];
        return SSL_TLSEXT_ERR_OK;
      }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  ContextPtr context_;
  std::vector<std::string> alpn_;
};

class OpenSslClientContext final : public ClientContext {
 public:
  OpenSslClientContext(ContextPtr context, Verify verify)
      : context_(std::move(context)), verify_(verify) {}
  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }
  [[nodiscard]] Verify verify() const { return verify_; }
  [[nodiscard]] std::shared_ptr<ClientContext> with(Verify verify) const override {
    SSL_CTX_up_ref(context_.get());
    return std::make_shared<OpenSslClientContext>(ContextPtr(context_.get()), verify);
  }

 private:
  ContextPtr context_;
  Verify verify_;  // set for each connection, not in the context
};

bool is_literal_address(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  const bool found = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  return found;
}

class OpenSslStream final : public TlsStream {
 public:
  OpenSslStream(std::unique_ptr<Stream> under, SslPtr ssl, std::shared_ptr<const void> context)
      : under_(std::move(under)), context_(std::move(context)), ssl_(std::move(ssl)) {
    from_peer_ = BIO_new(BIO_s_mem());
    to_peer_ = BIO_new(BIO_s_mem());
    check(from_peer_ != nullptr && to_peer_ != nullptr, "BIO_new");
    SSL_set_bio(ssl_.get(), from_peer_, to_peer_);  // owns both
  }

  Task<Result<void, TlsError>> shake_hands(Deadline deadline) {
    for (;;) {
      ERR_clear_error();
      const int result = SSL_do_handshake(ssl_.get());
      const int reason = SSL_get_error(ssl_.get(), result);
      const std::string words = result == 1 ? "" : handshake_problem(reason);
      const auto sent = co_await flush(deadline);  // an alert goes out as well
      if (result == 1) break;
      if (reason != SSL_ERROR_WANT_READ) co_return fail(TlsError(words));
      if (!sent) co_return fail(io_problem(sent.error()));
      const auto got = co_await receive(deadline);
      if (!got) co_return fail(io_problem(got.error()));
      if (*got == 0)
        co_return fail(TlsError("the peer closed the connection during the handshake"));
    }
    note_facts();
    co_return Result<void, TlsError>();
  }

  Task<Result<std::size_t, IoError>> read(Buffer& into, Deadline deadline) override {
    for (;;) {
      const int count = decrypt(into);
      if (count > 0) co_return static_cast<std::size_t>(count);
      const int reason = SSL_get_error(ssl_.get(), count);
      if (reason == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
      if (reason != SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        co_return fail(IoError(EPROTO, "read TLS from", peer().text()));
      }
      // A key update wants an answer. A writer that is sending takes it along.
      if (sending_.free() > 0) {
        const auto sent = co_await flush(deadline);
        if (!sent) co_return fail(sent.error());
        give_back(to_peer_);
      }
      give_back(from_peer_);
      const auto got = co_await receive(deadline);
      if (!got) co_return fail(got.error());
      if (*got == 0) co_return std::size_t{0};
    }
  }

  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    while (!octets.empty()) {
      ERR_clear_error();
      const std::size_t part = std::min(octets.size(), record_size);
      const int count = SSL_write(ssl_.get(), octets.data(), static_cast<int>(part));
      if (count <= 0) {
        ERR_clear_error();
        co_return fail(IoError(EPROTO, "write TLS to", peer().text()));
      }
      octets.remove_prefix(static_cast<std::size_t>(count));
      if (!octets.empty() && BIO_ctrl_pending(to_peer_) < flush_at) continue;
      const auto sent = co_await flush(deadline);
      if (!sent) co_return fail(sent.error());
    }
    co_return Result<void, IoError>();
  }

  Task<void> shutdown(Deadline deadline) override {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    (void)co_await flush(deadline);
    co_await under_->shutdown(deadline);
  }

  void close() override { under_->close(); }
  [[nodiscard]] const async::Peer& peer() const override { return under_->peer(); }
  [[nodiscard]] bool has_pending() const override {
    return SSL_pending(ssl_.get()) > 0 || BIO_ctrl_pending(from_peer_) > 0 || under_->has_pending();
  }
  [[nodiscard]] const Facts& facts() const override { return facts_; }

  [[nodiscard]] std::optional<std::string> channel_binding() const override {
    if (SSL_version(ssl_.get()) != TLS1_3_VERSION) return std::nullopt;
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    std::string octets(32, '\0');
    if (SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(octets.data()),
                                   octets.size(), label.data(), label.size(), nullptr, 0, 1) != 1) {
      return std::nullopt;
    }
    return octets;
  }

 private:
  static constexpr std::size_t flush_at =
      256 * 1024;                                // of cipher text, then the socket gets a turn
  static constexpr std::size_t kept_room = 512;  // octets of a BIO at rest

  // OpenSSL's memory BIOs never shrink: one that has carried a handshake or a mailbox holds as much ever after.
  static void give_back(BIO* bio) {
    BUF_MEM* memory = nullptr;
    if (BIO_ctrl_pending(bio) > 0 || BIO_get_mem_ptr(bio, &memory) != 1 || memory->max <= kept_room)
      return;
    if (BUF_MEM* empty = BUF_MEM_new(); empty != nullptr) BIO_set_mem_buf(bio, empty, BIO_CLOSE);
  }

  // What SSL_read returns; a function of its own, so that no coroutine frame carries the record.
  int decrypt(Buffer& into) {
    std::array<char, record_size> plain;  // NOLINT: SSL_read fills what is used
    ERR_clear_error();
    const int count = SSL_read(ssl_.get(), plain.data(), plain.size());
    if (count > 0) into.append(std::string_view(plain.data(), static_cast<std::size_t>(count)));
    return count;
  }

  // Cipher text from the peer into OpenSSL.
  Task<Result<std::size_t, IoError>> receive(Deadline deadline) {
    Buffer cipher;
    auto got = co_await under_->read(cipher, deadline);
    if (got && *got > 0) {
      const std::string_view octets = cipher.view();
      BIO_write(from_peer_, octets.data(), static_cast<int>(octets.size()));
    }
    co_return got;
  }

  // Sends all that OpenSSL wants to send. Reader and writer may both come here; the stream below
  // has one writer at a time.
  Task<Result<void, IoError>> flush(Deadline deadline) {
    if (BIO_ctrl_pending(to_peer_) == 0) co_return Result<void, IoError>();
    const bool mine = co_await sending_.acquire(deadline);
    if (!mine) co_return fail(IoError(IoError::timed_out, "write TLS to", peer().text()));
    Result<void, IoError> sent;
    while (sent && BIO_ctrl_pending(to_peer_) > 0) {
      const std::string octets = take_cipher_text();
      sent = co_await under_->write(octets, deadline);
    }
    sending_.release();
    co_return sent;
  }

  std::string take_cipher_text() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(to_peer_, &data);
    std::string octets(data, static_cast<std::size_t>(size));
    (void)BIO_reset(to_peer_);
    return octets;
  }

  static TlsError io_problem(const IoError& error) {
    TlsError problem(error.text());
    problem.timed_out = error.code == IoError::timed_out;
    return problem;
  }

  std::string handshake_problem(int reason) const {
    const long verified = SSL_get_verify_result(ssl_.get());
    if (reason == SSL_ERROR_SSL && !SSL_is_server(ssl_.get()) && verified != X509_V_OK) {
      ERR_clear_error();
      return X509_verify_cert_error_string(verified);
    }
    return last_error("handshake failed");
  }

  void note_facts() {
    const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
    facts_.version = SSL_get_version(ssl_.get());
    facts_.cipher = SSL_CIPHER_get_name(cipher);
    facts_.bits = SSL_CIPHER_get_bits(cipher, nullptr);
    const unsigned char* alpn = nullptr;
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &alpn, &alpn_size);
    if (alpn_size > 0) facts_.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
    if (const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name)) {
      facts_.server_name = printable(name, 255);
    }
    if (SSL_is_server(ssl_.get())) return;
    const long verified = SSL_get_verify_result(ssl_.get());
    facts_.peer_verified = verified == X509_V_OK;
    if (!facts_.peer_verified) facts_.peer_problem = X509_verify_cert_error_string(verified);
  }

  std::unique_ptr<Stream> under_;
  std::shared_ptr<const void> context_;  // callbacks point into it
  SslPtr ssl_;
  BIO* from_peer_ = nullptr;
  BIO* to_peer_ = nullptr;
  async::Semaphore sending_{1};
  Facts facts_;
};

}  // namespace

Result<std::shared_ptr<ServerContext>, TlsError> ServerContext::load(const Options& options) {
  ERR_clear_error();
  ContextPtr context = make_context(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate_file.c_str()) != 1) {
    return fail(TlsError(fmt::format("certificate {}: {}", options.certificate_file,
                                     last_error("not a PEM certificate"))));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(TlsError(fmt::format("key {}: {}", options.key_file, last_error("not a PEM key"))));
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return fail(TlsError(fmt::format("key {} does not belong to certificate {}", options.key_file,
                                     options.certificate_file)));
  }
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets carry the state
  SSL_CTX_set_num_tickets(context.get(), 1);
  return std::make_shared<OpenSslServerContext>(std::move(context), options.alpn);
}

Result<std::shared_ptr<ClientContext>, TlsError> ClientContext::load(const Options& options) {
  ERR_clear_error();
  ContextPtr context = make_context(TLS_client_method());
  const bool loaded =
      options.ca_file.empty()
          ? SSL_CTX_set_default_verify_paths(context.get()) == 1
          : SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) == 1;
  if (!loaded) {
    return fail(TlsError(
        fmt::format("CA file {}: {}", options.ca_file, last_error("not PEM certificates"))));
  }
  return std::make_shared<OpenSslClientContext>(std::move(context), options.verify);
}

Task<Result<std::unique_ptr<TlsStream>, TlsError>> accept(std::unique_ptr<Stream> under,
                                                          std::shared_ptr<ServerContext> context,
                                                          Deadline deadline) {
  SslPtr ssl(SSL_new(static_cast<OpenSslServerContext&>(*context).get()));
  check(ssl != nullptr, "SSL_new");
  SSL_set_accept_state(ssl.get());
  auto stream =
      std::make_unique<OpenSslStream>(std::move(under), std::move(ssl), std::move(context));
  auto shaken = co_await stream->shake_hands(deadline);
  if (!shaken) co_return fail(std::move(shaken.error()));
  co_return std::unique_ptr<TlsStream>(std::move(stream));
}

Task<Result<std::unique_ptr<TlsStream>, TlsError>> connect(std::unique_ptr<Stream> under,
                                                           std::shared_ptr<ClientContext> context,
                                                           std::string server_name,
                                                           Deadline deadline) {
  const auto& client = static_cast<OpenSslClientContext&>(*context);
  if (client.verify() == ClientContext::Verify::require && server_name.empty())
    co_return fail(TlsError("no name that the certificate would have to be good for"));
  SslPtr ssl(SSL_new(client.get()));
  check(ssl != nullptr, "SSL_new");
  SSL_set_connect_state(ssl.get());
  // With Verify::none the chain and the name are still looked at, and Facts tell what came of it.
  SSL_set_verify(
      ssl.get(),
      client.verify() == ClientContext::Verify::require ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
      nullptr);
  if (is_literal_address(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name.c_str());
  } else if (!server_name.empty()) {
    SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl.get(), server_name.c_str());
  }
  auto stream =
      std::make_unique<OpenSslStream>(std::move(under), std::move(ssl), std::move(context));
  auto shaken = co_await stream->shake_hands(deadline);
  if (!shaken) co_return fail(std::move(shaken.error()));
  co_return std::unique_ptr<TlsStream>(std::move(stream));
}

}  // namespace posthorn::tls
