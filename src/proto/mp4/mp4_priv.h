// SPDX-License-Identifier: MIT
#ifndef PROTO_MP4_PRIV_H
#define PROTO_MP4_PRIV_H

struct http_request;

// Handlers; arg is the protocol_env. mp4_past.c, mp4_preview.c, mp4_export.c
void mp4_handle_past(void *arg, struct http_request *request);
void mp4_handle_preview_live(void *arg, struct http_request *request);
void mp4_handle_preview_past(void *arg, struct http_request *request);
void mp4_handle_save(void *arg, struct http_request *request);
void mp4_handle_export(void *arg, struct http_request *request);
void mp4_handle_jobs(void *arg, struct http_request *request);
void mp4_handle_job(void *arg, struct http_request *request);
void mp4_handle_job_delete(void *arg, struct http_request *request);

struct protocol_env;
void mp4_export_init(const struct protocol_env *env);
// Cancels what is under way.
void mp4_export_fini(void);

#endif
