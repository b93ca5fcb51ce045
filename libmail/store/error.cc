#include "libmail/store/error.h"

#include <cerrno>

namespace posthorn::store {

namespace {

StoreError::Kind kind_of(int code) {
  using Kind = StoreError::Kind;
  switch (code) {
    case ENOSPC:
    case EFBIG:
    case EMLINK:
      return Kind::disk_full;
    case EDQUOT:
      return Kind::over_quota;
    case ENOENT:
      return Kind::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
      return Kind::refused;
    case EEXIST:
      return Kind::already_exists;
    case ENAMETOOLONG:
      return Kind::bad_name;
    default:
      return Kind::unavailable;
  }
}

}  // namespace

StoreError::StoreError(const IoError& error)
    : kind(kind_of(error.code)), code(error.code), text(error.text()) {}

StoreError not_again(StoreError error) {
  if (error.kind == StoreError::Kind::locked) error.kind = StoreError::Kind::unavailable;
  return error;
}

}  // namespace posthorn::store
