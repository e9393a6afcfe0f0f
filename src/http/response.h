// SPDX-License-Identifier: MIT
// Between whole answers (response.c) and those made piece by piece (response_stream.c).
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http_priv.h"

// The head of an answer. length -1: none is told.
void response_head(struct http_request *request, int status, const char *type, int64_t length,
                   struct writer *out);
// What a GET of `length` bytes is to be answered with: 200, 206, 304 or 416, the headers that
// belong to it set, and the range.
int response_select(struct http_request *request, uint64_t length, uint64_t *first,
                    uint64_t *count);
// Answers 304 or 416.
void response_without_body(struct http_request *request, int status);

#endif
