// What libcurl calls for ldap:// and rtmp://, for release binaries that have libcurl in them (scripts/link): the three libraries that
// do it bring eight others, and all are loaded when the process starts. No request gets here: CURLOPT_PROTOCOLS_STR allows http and https only.
//
// The names are hidden: a libcurl that is loaded as a library has its own.

#include <stdio.h>
#include <stdlib.h>

__attribute__((noreturn, visibility("hidden"))) void slipway_curl_no_protocol(void);

void slipway_curl_no_protocol(void) {
    static const char text[] = "slipway: libcurl was asked for LDAP or RTMP, which this program does not speak\n";
    fwrite(text, 1, sizeof text - 1, stderr);
    abort();
}

#define FUNCTION(name) __attribute__((visibility("hidden"), alias("slipway_curl_no_protocol"))) void name(void);

FUNCTION(RTMP_Alloc)
FUNCTION(RTMP_Close)
FUNCTION(RTMP_Connect1)
FUNCTION(RTMP_ConnectStream)
FUNCTION(RTMP_Free)
FUNCTION(RTMP_Init)
FUNCTION(RTMP_Read)
FUNCTION(RTMP_SetBufferMS)
FUNCTION(RTMP_SetupURL)
FUNCTION(RTMP_Write)
FUNCTION(ber_bvfree)
FUNCTION(ber_free)
FUNCTION(ber_memfree)
FUNCTION(ber_memvfree)
FUNCTION(ber_sockbuf_add_io)
FUNCTION(ldap_abandon_ext)
FUNCTION(ldap_err2string)
FUNCTION(ldap_free_urldesc)
FUNCTION(ldap_get_attribute_ber)
FUNCTION(ldap_get_dn_ber)
FUNCTION(ldap_get_option)
FUNCTION(ldap_init_fd)
FUNCTION(ldap_memfree)
FUNCTION(ldap_msgfree)
FUNCTION(ldap_msgtype)
FUNCTION(ldap_parse_result)
FUNCTION(ldap_parse_sasl_bind_result)
FUNCTION(ldap_pvt_url_scheme2proto)
FUNCTION(ldap_result)
FUNCTION(ldap_sasl_bind)
FUNCTION(ldap_search_ext)
FUNCTION(ldap_set_option)
FUNCTION(ldap_start_tls)
FUNCTION(ldap_unbind_ext)
FUNCTION(ldap_url_parse)
