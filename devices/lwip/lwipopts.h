/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's configuration: everything in one thread, nothing by interrupts, all memory static. What a peer can make Sluice
 * keep is bounded here; when it runs out, frames and connections are refused.
 *
 * Frames between guest and wire use none of this memory: network.c carries them in a buffer of its own.
 */
#ifndef LWIP_LWIPOPTS_H
#define LWIP_LWIPOPTS_H

/* ---- the shape ---- */
#define NO_SYS		     1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET	     0
#define LWIP_NETCONN	     0
#define LWIP_STATS	     0
#define MEM_ALIGNMENT	     8
#define ETH_PAD_SIZE	     0 /* any alignment is fine on x86 */

/* ---- protocols ---- */
#define LWIP_IPV4		   1
#define LWIP_IPV6		   0
#define LWIP_ARP		   1
#define ARP_QUEUEING		   0
#define LWIP_ICMP		   1
#define LWIP_RAW		   0
#define LWIP_UDP		   1
#define LWIP_DHCP		   1
#define LWIP_DNS		   0
#define LWIP_TCP		   1
#define IP_FORWARD		   0
#define IP_FRAG			   1
#define IP_REASSEMBLY		   1
#define LWIP_NETIF_HOSTNAME	   1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NUM_NETIF_CLIENT_DATA 1 /* bridgeif's */
#define BRIDGEIF_MAX_PORTS	   7

/* ---- memory ---- */
/* Received frames for Sluice itself: a datagram of 64 KiB in fragments, and requests of all connections. */
#define PBUF_POOL_SIZE	   128
#define PBUF_POOL_BUFSIZE  1520
#define IP_REASS_MAX_PBUFS 48
#define MEMP_NUM_REASSDATA 4
#define MEMP_NUM_PBUF	   64
#define MEMP_NUM_FRAG_PBUF 64
#define MEMP_NUM_UDP_PCB   4
/* lwIP's own, one of the bridge's, and http.c's. */
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 3)
/* The heap: what TCP keeps of its data until it is acknowledged, and httpd's buffers. */
#define MEM_SIZE (384 * 1024)

/* ---- TCP ---- */
#define TCP_MSS		 1460
#define TCP_WND		 (8 * TCP_MSS)
#define TCP_SND_BUF	 (12 * TCP_MSS)
#define TCP_SND_QUEUELEN 48
#define MEMP_NUM_TCP_SEG 256
/* More than the hundred that may come at once: who finds none is not told, but tries again after seconds. */
#define MEMP_NUM_TCP_PCB	128
#define MEMP_NUM_TCP_PCB_LISTEN 2
#define TCP_OOSEQ_MAX_PBUFS	4
#define TCP_OOSEQ_MAX_BYTES	(4 * TCP_MSS)
#define TCP_MAXRTX		8
#define TCP_SYNMAXRTX		4
/* Per connection, for http.c: when it was first seen, and with which sequence number. */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 2

/* ---- the web server ---- */
/* Every answer is made by status.c, with its header: nothing comes from a file system of lwIP's. */
#define HTTPD_FSDATA_FILE		    "httpd_files.h"
#define LWIP_HTTPD_CUSTOM_FILES		    1
#define LWIP_HTTPD_DYNAMIC_FILE_READ	    1
#define LWIP_HTTPD_DYNAMIC_HEADERS	    0
#define LWIP_HTTPD_SUPPORT_EXTSTATUS	    1
#define LWIP_HTTPD_SUPPORT_POST		    1
#define LWIP_HTTPD_SUPPORT_V09		    0
#define LWIP_HTTPD_SUPPORT_11_KEEPALIVE	    0
#define LWIP_HTTPD_SSI			    0
#define LWIP_HTTPD_CGI			    0
#define LWIP_HTTPD_ABORT_ON_CLOSE_MEM_ERROR 1
#define HTTPD_USE_MEM_POOL		    1
#define MEMP_NUM_PARALLEL_HTTPD_CONNS	    MEMP_NUM_TCP_PCB
/* A request: its line and header fields, in at most so many pieces. */
#define LWIP_HTTPD_MAX_REQ_LENGTH	     2047
#define LWIP_HTTPD_REQ_QUEUELEN		     8
#define LWIP_HTTPD_MAX_REQUEST_URI_LEN	     127
#define LWIP_HTTPD_POST_MAX_RESPONSE_URI_LEN 63
/* An answer's buffer is free again before it is acknowledged: its bytes are always copied. */
#define HTTP_IS_DATA_VOLATILE(hs) TCP_WRITE_FLAG_COPY
/* Polled every second; eight seconds without progress end a connection. */
#define HTTPD_POLL_INTERVAL 2
#define HTTPD_MAX_RETRIES   8

#endif
