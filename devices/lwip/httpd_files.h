/* SPDX-License-Identifier: BSD-2-Clause */
/* Included by lwIP's fs.c in place of a generated file system: there is none. */
#ifndef LWIP_HTTPD_FILES_H
#define LWIP_HTTPD_FILES_H

#define FS_ROOT NULL

#endif
