// Every reply that our servers say of their own accord, in one place: code, enhanced status (RFC
// 3463), words. Texts are an interface: dull, and made for whoever reads a bounce.
#pragma once

#include "libmail/smtp/reply.h"

namespace posthorn::smtp::reply {

// 2xx and 3xx
inline const Reply ok{250, {2, 0, 0}, "OK"};
inline const Reply mail_ok{250, {2, 1, 0}, "OK"};
inline const Reply rcpt_ok{250, {2, 1, 5}, "OK"};
inline const Reply chunk_ok{250, {2, 0, 0}, "OK"};
inline const Reply start_body{354, "End data with <CRLF>.<CRLF>"};
inline const Reply bye{221, {2, 0, 0}, "Bye"};
inline const Reply ready_for_tls{220, {2, 0, 0}, "Ready to start TLS"};
inline const Reply auth_ok{235, {2, 7, 0}, "Authentication successful"};
inline const Reply help{214, {2, 0, 0}, "RFC 5321 and its extensions; EHLO lists them"};
inline const Reply cannot_vrfy{252, {2, 5, 0}, "Cannot VRFY user; RCPT TO will tell"};
inline const Reply cannot_expn{252, {2, 5, 0}, "Cannot EXPN list for strangers"};

// 4xx: not the client's fault, or not for ever
inline const Reply shutting_down{421, {4, 3, 2}, "Service shutting down"};
inline const Reply timed_out{421, {4, 4, 2}, "Timeout, closing connection"};
inline const Reply too_many_errors{421, {4, 7, 0}, "Too many errors"};
inline const Reply too_many_commands{421, {4, 7, 0}, "Too many commands without a message"};
inline const Reply too_many_transactions{
    421, {4, 7, 0}, "Too many messages in one session, connect again"};
inline const Reply too_many_connections{421, {4, 7, 0}, "Too many connections from your address"};
inline const Reply not_smtp{421, {4, 7, 0}, "This is no HTTP server"};
inline const Reply try_later{451, {4, 3, 0}, "Temporary trouble here, try again later"};
inline const Reply no_storage{452, {4, 3, 1}, "Not enough storage, try again later"};
inline const Reply too_many_recipients{452, {4, 5, 3}, "Too many recipients"};
inline const Reply envelope_too_large{452, {4, 5, 3}, "Too many recipients for one message"};
inline const Reply tls_unavailable{454, {4, 7, 0}, "TLS not available"};
inline const Reply auth_unavailable{454, {4, 7, 0}, "Temporary authentication failure"};

// 5xx
inline const Reply unknown_command{500, {5, 5, 2}, "Command not recognized"};
inline const Reply line_too_long{500, {5, 5, 6}, "Line too long"};
inline const Reply bad_line_end{500, {5, 5, 2}, "Lines end with CRLF, and hold no NUL, CR or LF"};
inline const Reply hello_first{503, {5, 5, 1}, "Send EHLO first"};
inline const Reply lhlo_expected{500, {5, 5, 1}, "This is LMTP, send LHLO"};
inline const Reply ehlo_expected{500, {5, 5, 1}, "This is SMTP, send EHLO"};
inline const Reply mail_first{503, {5, 5, 1}, "Send MAIL first"};
inline const Reply nested_mail{503, {5, 5, 1}, "Sender already specified"};
inline const Reply rcpt_first{503, {5, 5, 1}, "Send RCPT first"};
inline const Reply no_valid_recipients{554, {5, 5, 1}, "No valid recipients"};
inline const Reply bdat_begun{503, {5, 5, 1}, "BDAT has begun, end it with LAST or RSET"};
inline const Reply data_after_bdat{503, {5, 5, 1}, "DATA cannot follow BDAT"};
inline const Reply bdat_without_transaction{503, {5, 5, 1}, "BDAT without a transaction"};
inline const Reply not_in_transaction{503, {5, 5, 1}, "Not during a mail transaction"};
inline const Reply service_refused{503, {5, 5, 1}, "Service refused, send QUIT"};
inline const Reply tls_active{503, {5, 5, 1}, "TLS is already active"};
inline const Reply pipelined_starttls{
    554, {5, 5, 1}, "Commands must not follow STARTTLS before the handshake"};
inline const Reply tls_required{530, {5, 7, 0}, "Must issue a STARTTLS command first"};
inline const Reply auth_required{530, {5, 7, 0}, "Authentication required"};
inline const Reply already_authenticated{503, {5, 5, 1}, "Already authenticated"};
inline const Reply auth_not_offered{502, {5, 5, 1}, "AUTH not offered"};
inline const Reply starttls_not_offered{502, {5, 5, 1}, "STARTTLS not offered"};
inline const Reply bdat_not_offered{502, {5, 5, 1}, "BDAT not offered"};
inline const Reply xforward_not_offered{502, {5, 5, 1}, "XFORWARD not offered"};
inline const Reply xclient_not_offered{502, {5, 5, 1}, "XCLIENT not offered"};
inline const Reply smtputf8_not_offered{555, {5, 5, 4}, "SMTPUTF8 not offered"};
inline const Reply requiretls_not_offered{555, {5, 5, 4}, "REQUIRETLS not offered here"};
inline const Reply dsn_not_offered{555, {5, 5, 4}, "DSN not offered"};
inline const Reply bad_xforward{501, {5, 5, 4}, "Bad XFORWARD attribute"};
inline const Reply bad_xclient{501, {5, 5, 4}, "Bad XCLIENT attribute"};
inline const Reply bad_mechanism{504, {5, 5, 4}, "Authentication mechanism not offered"};
inline const Reply encryption_required{538, {5, 7, 11}, "Encryption required for authentication"};
inline const Reply auth_failed{535, {5, 7, 8}, "Authentication credentials invalid"};
inline const Reply auth_malformed{501, {5, 5, 2}, "Bad authentication exchange"};
inline const Reply auth_cancelled{501, {5, 7, 0}, "Authentication cancelled"};
inline const Reply auth_bad_base64{501, {5, 5, 2}, "Bad base64"};
inline const Reply message_too_big{552, {5, 3, 4}, "Message size exceeds the limit"};
inline const Reply bare_lf{554, {5, 6, 0}, "Message refused: bare LF in it, lines end with CRLF"};
inline const Reply bare_cr{554, {5, 6, 0}, "Message refused: bare CR in it, lines end with CRLF"};
inline const Reply nul_octet{554, {5, 6, 0}, "Message refused: NUL octet in it"};
inline const Reply body_line_too_long{554, {5, 6, 0}, "Message refused: line too long"};
inline const Reply header_too_large{554, {5, 6, 0}, "Message refused: header too large"};
inline const Reply needs_utf8{553, {5, 6, 7}, "Address needs SMTPUTF8"};
inline const Reply no_such_user{550, {5, 1, 1}, "User unknown"};
inline const Reply relaying_denied{554, {5, 7, 1}, "Relaying denied"};
inline const Reply routing_loop{554, {5, 4, 6}, "Routing loop: too many Received fields"};

}  // namespace posthorn::smtp::reply
