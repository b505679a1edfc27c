/**
 * Lines as devices and programs send them over the network, with what this memlogd, rsyslog 8.2302 and syslog-ng 3.38
 * make of each.
 */

interface DeviceLine {
  from: string
  line: string
  /** time|host|source|pid|text, empty where the message has none. */
  ours: string
  /** host|app-name|procid|msg */
  rsyslog: string
  /** host|program|pid|msg, of its parser for BSD messages; a message without a host has the sender's address. */
  syslogNg: string
}

export const deviceLines: readonly DeviceLine[] = [
  {
    from: 'glibc through rsyslog',
    line: '<30>Nov 24 03:46:57 web1 sshd[42]: Accepted publickey',
    ours: 'Nov 24 03:46:57|web1|sshd|42|Accepted publickey',
    rsyslog: 'web1|sshd|42| Accepted publickey',
    syslogNg: 'web1|sshd|42|Accepted publickey',
  },
  {
    from: 'a day of one digit, padded',
    line: '<30>Nov  3 03:46:57 web1 sshd[42]: padded',
    ours: 'Nov  3 03:46:57|web1|sshd|42|padded',
    rsyslog: 'web1|sshd|42| padded',
    syslogNg: 'web1|sshd|42|padded',
  },
  {
    from: 'a day of one digit, one space',
    line: '<30>Nov 3 03:46:57 web1 sshd[42]: one space',
    ours: 'Nov 3 03:46:57|web1|sshd|42|one space',
    rsyslog: 'web1|sshd|42| one space',
    syslogNg: '127.0.0.1|Nov||3 03:46:57 web1 sshd[42]: one space',
  },
  {
    from: 'milliseconds',
    line: '<30>Nov 24 03:46:57.123 web1 sshd[42]: fraction',
    ours: 'Nov 24 03:46:57.123|web1|sshd|42|fraction',
    rsyslog: 'web1|sshd|42| fraction',
    syslogNg: 'web1|sshd|42|fraction',
  },
  {
    from: 'microseconds',
    line: '<30>Nov 24 03:46:57.123456 web1 app: fraction',
    ours: 'Nov 24 03:46:57.123456|web1|app||fraction',
    rsyslog: 'web1|app|-| fraction',
    syslogNg: 'web1|app||fraction',
  },
  {
    from: 'Cisco ASA',
    line: '<166>Nov 24 2026 03:46:57: %ASA-6-302013: Built outbound TCP connection',
    ours: 'Nov 24 2026 03:46:57||%ASA-6-302013||Built outbound TCP connection',
    rsyslog: 'localhost|%ASA-6-302013|-| Built outbound TCP connection',
    syslogNg: '127.0.0.1|%ASA-6-302013||Built outbound TCP connection',
  },
  {
    from: 'Cisco ASA with a device id',
    line: '<166>Nov 24 2026 03:46:57 asa1 : %ASA-6-302013: Built outbound TCP connection',
    ours: 'Nov 24 2026 03:46:57|asa1|%ASA-6-302013||Built outbound TCP connection',
    rsyslog: 'asa1|-|-| %ASA-6-302013: Built outbound TCP connection',
    syslogNg: 'asa1|||%ASA-6-302013: Built outbound TCP connection',
  },
  {
    from: 'Cisco ASA with a host',
    line: '<166>Nov 24 2026 03:46:57 asa1 %ASA-6-302013: Built',
    ours: 'Nov 24 2026 03:46:57|asa1|%ASA-6-302013||Built',
    rsyslog: 'asa1|%ASA-6-302013|-| Built',
    syslogNg: 'asa1|%ASA-6-302013||Built',
  },
  {
    from: 'Cisco IOS with a sequence number',
    line: '<189>29: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured from console',
    ours: '||syslog||29: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured from console',
    rsyslog: 'localhost|29|-| *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured from console',
    syslogNg: '127.0.0.1|UTC||%SYS-5-CONFIG_I: Configured from console',
  },
  {
    from: 'Juniper',
    line: '<28>Nov 24 03:46:57 mx1 mib2d[1234]: SNMP_TRAP_LINK_DOWN: ifIndex 82',
    ours: 'Nov 24 03:46:57|mx1|mib2d|1234|SNMP_TRAP_LINK_DOWN: ifIndex 82',
    rsyslog: 'mx1|mib2d|1234| SNMP_TRAP_LINK_DOWN: ifIndex 82',
    syslogNg: 'mx1|mib2d|1234|SNMP_TRAP_LINK_DOWN: ifIndex 82',
  },
  {
    from: 'Fortinet',
    line: '<189>date=2026-11-24 time=03:46:57 devname="fw1" logid="0000000013"',
    ours: '||syslog||date=2026-11-24 time=03:46:57 devname="fw1" logid="0000000013"',
    rsyslog: 'localhost|date=2026-11-24|-| time=03:46:57 devname="fw1" logid="0000000013"',
    syslogNg: '127.0.0.1|date=2026-11-24||time=03:46:57 devname="fw1" logid="0000000013"',
  },
  {
    from: 'MikroTik, BSD format',
    line: '<30>Nov 24 03:46:57 MikroTik system,info router rebooted',
    ours: 'Nov 24 03:46:57|MikroTik|syslog||system,info router rebooted',
    rsyslog: 'MikroTik|system,info|-| router rebooted',
    syslogNg: 'MikroTik|system,info||router rebooted',
  },
  {
    from: 'Ubiquiti',
    line: '<30>Nov 24 03:46:57 U7P,f09fc2aabbcc,v3.9 hostapd: ath0: STA associated',
    ours: 'Nov 24 03:46:57||syslog||U7P,f09fc2aabbcc,v3.9 hostapd: ath0: STA associated',
    rsyslog: 'localhost|U7P,f09fc2aabbcc,v3.9|-| hostapd: ath0: STA associated',
    syslogNg: 'U7P,f09fc2aabbcc,v3.9|hostapd||ath0: STA associated',
  },
  {
    from: 'VMware ESXi',
    line: '<166>2026-11-24T03:46:57.123Z esx1.example.com Hostd: info hostd[2099]: Event 1',
    ours: '2026-11-24T03:46:57.123Z|esx1.example.com|Hostd||info hostd[2099]: Event 1',
    rsyslog: 'esx1.example.com|Hostd|-| info hostd[2099]: Event 1',
    syslogNg: 'esx1.example.com|Hostd||info hostd[2099]: Event 1',
  },
  {
    from: 'RFC 3164 example',
    line: "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    ours: "Oct 11 22:14:15|mymachine|su||'su root' failed for lonvick on /dev/pts/8",
    rsyslog: "mymachine|su|-| 'su root' failed for lonvick on /dev/pts/8",
    syslogNg: "mymachine|su||'su root' failed for lonvick on /dev/pts/8",
  },
  {
    from: 'a host and no tag',
    line: '<13>Nov 24 03:46:57 printer1 paper jam in tray 2',
    ours: 'Nov 24 03:46:57|printer1|syslog||paper jam in tray 2',
    rsyslog: 'printer1|paper|-| jam in tray 2',
    syslogNg: 'printer1|paper||jam in tray 2',
  },
  {
    from: 'a host alone',
    line: '<13>Nov 24 03:46:57 printer1',
    ours: 'Nov 24 03:46:57|printer1|syslog||',
    rsyslog: 'printer1|-|-|',
    syslogNg: '127.0.0.1|printer1||',
  },
  {
    from: 'an address as host',
    line: '<13>Nov 24 03:46:57 192.0.2.7 link up',
    ours: 'Nov 24 03:46:57|192.0.2.7|syslog||link up',
    rsyslog: '192.0.2.7|link|-| up',
    syslogNg: '192.0.2.7|link||up',
  },
  {
    from: 'an IPv6 address as host',
    line: '<13>Nov 24 03:46:57 2001:db8::7 app: link up',
    ours: 'Nov 24 03:46:57|2001:db8::7|app||link up',
    rsyslog: 'localhost|2001|-|db8::7 app: link up',
    syslogNg: '2001:db8::7|app||link up',
  },
  {
    from: 'ISO with a space',
    line: '<13>2026-11-24 03:46:57 nas1 smbd[7]: share opened',
    ours: '2026-11-24 03:46:57|nas1|smbd|7|share opened',
    rsyslog: '2026-11-24|03|-|46:57 nas1 smbd[7]: share opened',
    syslogNg: 'nas1|smbd|7|share opened',
  },
  {
    from: 'ISO with a space and a fraction',
    line: '<13>2026-11-24 03:46:57.250 nas1 smbd: opened',
    ours: '2026-11-24 03:46:57.250|nas1|smbd||opened',
    rsyslog: '2026-11-24|03|-|46:57.250 nas1 smbd: opened',
    syslogNg: 'nas1|smbd||opened',
  },
  {
    from: 'ISO with a T and a zone',
    line: '<13>2026-11-24T03:46:57+01:00 nas1 smbd: opened',
    ours: '2026-11-24T03:46:57+01:00|nas1|smbd||opened',
    rsyslog: 'nas1|smbd|-| opened',
    syslogNg: 'nas1|smbd||opened',
  },
  {
    from: 'a version without RFC 5424',
    line: '<13>1 Nov 24 03:46:57 ap1 hostapd: STA joined',
    ours: 'Nov 24 03:46:57|ap1|hostapd||STA joined',
    rsyslog: 'localhost||-|Nov 24 03:46:57 ap1 hostapd: STA joined',
    syslogNg: '127.0.0.1|1||Nov 24 03:46:57 ap1 hostapd: STA joined',
  },
  {
    from: 'RFC 5424',
    line: '<13>1 2026-11-24T03:46:57.5Z ap1 hostapd 9 - - STA joined',
    ours: '2026-11-24T03:46:57.5Z|ap1|hostapd|9|STA joined',
    rsyslog: 'ap1|hostapd|9|STA joined',
    syslogNg: '127.0.0.1|1||2026-11-24T03:46:57.5Z ap1 hostapd 9 - - STA joined',
  },
  {
    from: 'no stamp',
    line: '<13>app[3]: no stamp',
    ours: '||app|3|no stamp',
    rsyslog: 'localhost|app|3| no stamp',
    syslogNg: '127.0.0.1|app|3|no stamp',
  },
  {
    from: 'no stamp and no tag',
    line: '<13>plain text of a device',
    ours: '||syslog||plain text of a device',
    rsyslog: 'plain|text|-| of a device',
    syslogNg: '127.0.0.1|plain||text of a device',
  },
  {
    from: 'no priority',
    line: 'Nov 24 03:46:57 old1 app: no priority',
    ours: 'Nov 24 03:46:57|old1|app||no priority',
    rsyslog: 'old1|app|-| no priority',
    syslogNg: 'old1|app||no priority',
  },
  {
    from: 'a year behind the time',
    line: '<13>Nov 24 03:46:57 2026 sw1 port 3 up',
    ours: 'Nov 24 03:46:57|2026|syslog||sw1 port 3 up',
    rsyslog: '2026|sw1|-| port 3 up',
    syslogNg: 'sw1|port||3 up',
  },
  {
    from: 'a zone',
    line: '<13>Nov 24 03:46:57 CET sw1 port: 3 up',
    ours: 'Nov 24 03:46:57|CET|syslog||sw1 port: 3 up',
    rsyslog: 'CET|sw1|-| port: 3 up',
    syslogNg: 'CET|sw1||port: 3 up',
  },
]
