/**
 * Every number that two parts of the project must agree on, written once.
 * The build generates the native half's header (`dist/native/constants.h`) from the exports of
 * this file: `queueFrameHeaderBytes` becomes `QUEUE_FRAME_HEADER_BYTES`. Only numbers and strings
 * are exported here. Byte layouts are pictured in docs/PROTOCOL.md.
 */

// ---- Paths (LinuxKit's service looks for the first one) -------------------------------------
export const logSocketPath = '/var/run/linuxkit-external-logging.sock'
export const querySocketPath = '/var/run/memlogq.sock'
/** The name that upstream's code and EVE's newlogd use; made as a link to the query socket. */
export const queryLinkName = 'memlogdq.sock'

// ---- Log socket -----------------------------------------------------------------------------
/** Longest source name in bytes; upstream memlogd reads as many. Longer names are cut. */
export const sourceNameBytesMax = 512
/** Descriptors in one control message: the kernel's own limit (SCM_MAX_FD). */
export const descriptorsPerDatagramMax = 253
/** Sources open at the same time; the slots of the source table. */
export const sourcesMax = 4096
/** Connections of remote syslog senders (TCP) at the same time. */
export const syslogConnectionsMax = 256
/** Those of one address. */
export const syslogConnectionsPerPeerMax = 32
/** A datagram of NUL and this name asks memlogd to hand over. */
export const takeoverName = 'memlogd-takeover'
export const takeoverMagic = 0x31544c4d // "MLT1", little-endian
export const takeoverVersion = 3
/** Mode of the sockets that memlogd binds: root alone. */
export const socketModeDefault = 0o600

// ---- Frame queue: a shared memory file that the intake writes and the engine reads -----------
export const queueMagic = 0x31514c4d // "MLQ1", little-endian
export const queueVersion = 1
export const queueHeaderBytes = 4096
export const queueSourceSlotBytes = 576
/** Where frames begin: after the header and sourcesMax slots. */
export const queueFramesOffset = 4096 + 4096 * 576
export const queueBytesDefault = 4 * 1024 * 1024
export const queueFrameHeaderBytes = 32
/** Most bytes that one read of a source takes; also the longest payload of a DATA frame. */
export const queueReadBytesMax = 32 * 1024
/** Longest payload of any frame: a read, or a datagram with its prefix. */
export const queuePayloadBytesMax = 64 * 1024 + 64

export const frameKindPad = 0
export const frameKindOpen = 1
export const frameKindData = 2
export const frameKindEnd = 3
export const frameKindDatagram = 4
export const frameKindRecord = 5
export const frameKindEvent = 6

/** What a source is: how the engine parses its frames. */
export const sourceKindStream = 1
export const sourceKindSyslogUnix = 2
export const sourceKindSyslogUdp = 3
export const sourceKindSyslogTcp = 4
export const sourceKindKmsg = 5
export const sourceKindDocker = 6
/** The engine's own stdout and stderr: what it says when it dies is kept. */
export const sourceKindEngineOutput = 7

/** Events of the intake (frameKindEvent, `detail`): counted, sent at most once a second each. */
export const eventStarted = 1
export const eventEngineExited = 2
export const eventDatagramWithoutDescriptor = 3
export const eventControlTruncated = 4
export const eventNameCut = 5
export const eventSourcesFull = 6
export const eventDescriptorRefused = 7
export const eventDatagramsLost = 8
export const eventKmsgUnavailable = 9
export const eventKmsgRecordTooLong = 10
export const eventEngineStalled = 11
export const eventOpenFailed = 12
export const eventStopping = 13
/** argument: pid of the memlogd before. */
export const eventTakenOver = 14
/** A memlogd that wanted to take over did not; argument: why. */
export const eventTakeoverFailed = 15
/** It was not allowed to; it, or this one, gave up; -takeover=never. */
export const takeoverRefused = 0
export const takeoverBrokenOff = 1
export const takeoverForbidden = 2
/** A read of this source blocked: from now on a thread of its own reads it. argument: the source's kind. */
export const eventSourceBlocked = 16
/** Datagrams of an unprivileged user were refused: more than -syslog-user-rate. argument: the uid. */
export const eventRateLimited = 17
/** A source was refused: descriptors are short. argument: its kind. */
export const eventNoDescriptors = 18
/** A datagram socket that was silent for longest was ended, because slots are short. */
export const eventIdleEnded = 19
/** The kernel knows no filters for system calls: the engine runs without. */
export const eventFilterUnavailable = 20
/** memlogd stops, and could not read everything; argument: of how many sources. count: bytes. */
export const eventUnread = 21
/** A connection of syslog over TCP was ended for a new one: all were in use. text: its peer. */
export const eventConnectionEnded = 22
/** Closing descriptors hangs: no more are received until one is closed. argument: how many threads hang. */
export const eventClosingBlocked = 23

// ---- Control stream between intake and engine: messages of 16 bytes --------------------------
export const controlMessageBytes = 16
/** Intake to engine: value = queue position up to which frames are ready. */
export const controlDoorbell = 1
/** Intake to engine: handle everything up to value, end the readers, exit with status 0. */
export const controlStop = 2
/** Engine to intake: value = queue position up to which everything is stored. */
export const controlAck = 3
/** Engine to intake: arg = source kind, value = bytes that follow: path, NUL, name. */
export const controlOpen = 4
/** Engine to intake: arg = source id: read what is there, send END, close. */
export const controlClose = 5
/** Engine to intake: started, serving readers. Resets the restart backoff. */
export const controlReady = 6
/**
 * Engine to intake: who is at the other end of its descriptor `arg`? value = token. Back: arg = uid, 2^32 - 1 where it
 * can't be had; value = token * 2^32 + pid.
 */
export const controlPeer = 7
/**
 * Engine to intake, after its first ACK: up to which position were frames waiting for this engine? Back: value = that
 * position.
 */
export const controlSync = 8
/**
 * Engine to intake: keep a copy of my descriptor `arg`, a reader that cannot come back by itself; value = its place, a
 * free one below keptReadersMax. Back, before the answer to SYNC: the descriptor of place `arg` is open in this engine,
 * as engineReadersFd + arg.
 */
export const controlKeep = 9
/** Engine to intake: the reader of place `arg` has ended. */
export const controlRelease = 10
/**
 * Intake to engine: another memlogd takes over: accept no more readers, and have those kept that were accepted. Back:
 * they are.
 */
export const controlHandOver = 11
/** PEER questions that may be without an answer: their answers must find room in the stream. */
export const controlPeersMax = 32
export const uidUnknown = 0xffffffff
/** In place of a pid: the other end is closed. */
export const pidGone = 0xffffffff
/** A reader that has ended its side without closing it is looked after so often. */
export const readerGoneMs = 10_000
/** Longest path and name in an OPEN message. */
export const controlOpenBytesMax = 4096 + 1 + 512

// ---- Descriptors that the engine is started with ---------------------------------------------
export const engineControlFd = 3
export const engineQueueFd = 4
export const engineRingFd = 5
export const engineQueryFd = 6
/** The Docker plugin's listening socket, where one is configured. */
export const engineDockerFd = 7
/** Where the plugin keeps its state, open for reading and writing. */
export const engineDockerStateFd = 8
/** The first of the readers that the intake kept for this engine. */
export const engineReadersFd = 9
/** Readers that the intake keeps at the same time: each has a place in the ring file that says how far it is. */
export const keptReadersMax = 120

// ---- Roles of the executable that users never name -------------------------------------------
export const roleEngine = 'memlogd-engine'
export const roleMemlogdConfig = 'memlogd-config'
export const roleLogwriteConfig = 'logwrite-config'
export const roleContainerdConfig = 'memlogd-containerd-config'
/** Largest uid and gid: 2^32 - 1 means "no change" to the kernel. */
export const engineIdMax = 0xfffffffe
/** User and group of the engine, unless asked otherwise: nobody. */
export const engineIdDefault = 65534
/** A variable for logread: the names of signals that are ignored, a space after each. */
export const ignoredSignals = 'MEMLOGD_IGNORED_SIGNALS'
/** Answers with the native half's version and CPU: how the build checks the graft. */
export const roleNativeVersion = 'memlogd-native'
export const nativeVersion = 1
/** Where a config role writes its `key=value` strings, each ended by NUL, the last one empty. */
export const configFd = 3
export const configBytesMax = 64 * 1024
/** A config role that takes longer is killed; generous, because machines without acceleration exist. */
export const configMs = 60_000

// ---- Waits, in milliseconds ------------------------------------------------------------------
/** After SIGTERM: how long the engine may take before it is killed. */
export const stopMs = 3000
/** Before that, memlogd reads what waits in its sources, for this time at most. */
export const drainMs = 1500
/** How long readers may go on reading when memlogd stops, if one of them accepts a write every farewellStallMs. */
export const farewellMs = 2000
export const farewellStallMs = 500
/** First wait before a dead engine is started again; doubles up to engineRestartMsMax. */
export const engineRestartMs = 50
export const engineRestartMsMax = 5000
/** An engine that acknowledges nothing for so long, with frames waiting, is killed. */
export const engineStallMs = 10000
/** A started engine that has not said where it begins after so long is killed. */
export const engineStartMs = 60_000
/** A full queue holds writers of datagrams up so long; then datagrams are dropped and counted. */
export const datagramWaitMs = 200
/** logwrite: how long it waits for a memlogd that receives nothing, before lines are dropped (-wait). */
export const teeWaitMs = 10_000
/** When the command has ended, logwrite waits at least this long before it drops what it still has. */
export const teeEndWaitMs = 200
/** In place of teeWaitMs: logwrite waits without limit. */
export const teeWaitForever = 0xffffffff
/** logwrite: how long output of the command's own background children is copied. */
export const teeDrainMs = 1000
/** memlogd-containerd: how long a container's start waits for a memlogd that receives nothing. */
export const containerdWaitMs = 10_000
/** logwrite: bytes kept for a memlogd that is slow, per stream. */
export const teeBufferBytes = 256 * 1024

// ---- Entries: what the ring holds and the query protocol carries -----------------------------
export const entryHeaderBytes = 48
/** Entries begin at multiples of this. */
export const entryAlignBytes = 8
export const entryKindLine = 1
/** Lines were lost here: fields `lost`, `reason`, and, where known, `first` and `last`. */
export const entryKindGap = 2
/** The reason of the gap entry where kept entries end: no loss of the reader's. */
export const holesReason = 'evicted'
/** Ends a complete reply: fields `delivered`, `reason`. Never stored in the ring. */
export const entryKindEnd = 3
/** Priority of an entry that has none. Others are facility * 8 + severity, 0..191. */
export const priorityNone = 255
/** The line was longer than the limit: `cutBytes` of it were dropped. */
export const entryFlagCut = 1
/** The source ended without a newline after this line. */
export const entryFlagUnterminated = 2
export const entryFieldsBytesMax = 8 * 1024
export const entryFieldKeyBytesMax = 255

// ---- Ring ------------------------------------------------------------------------------------
/** Most source names that are known at the same time; for new ones, those that were silent for longest make room. */
export const countedSourcesMax = 2048
/** Format of the ring file (docs/PROTOCOL.md section 6), and the oldest that is read and taken over. */
export const ringFormatVersion = 4
export const ringFormatOldest = 2
/** Unfinished lines and messages of all sources of this machine together, in bytes, */
export const heldBytesMax = 2 * 1024 * 1024
/** or as much as so many of the longest lines need, where that is more. */
export const heldLinesMin = 16
/** Those of other machines (syslog over TCP): they never take room from this machine's. */
export const networkHeldBytesMax = 16 * 1024 * 1024
/** When this many engines in a row have ended at the same frames, these are stored one at a time. */
export const attemptsBeforeCare = 3
/** After this many, the first of them is skipped. A kill from outside hardly hits one frame so often. */
export const attemptsBeforeSkip = 8
/** Half of the area for unfinished lines. They and what was written for the commit before fit many times. */
export const carryHalfBytes = 256 * 1024 * 1024
/** This much of the area is not given back to the kernel. */
export const carryKeptBytes = 256 * 1024
export const maxLinesLimit = 50_000_000
export const maxBytesDefault = 8 * 1024 * 1024
export const maxBytesLimit = 1024 * 1024 * 1024
/** Steps of the clock that a ring remembers. */
export const clockStepsMax = 16
/** Entries of the first so many seconds are of the boot. */
export const bootSeconds = 60
/** Smallest and largest -keep; 0 keeps nothing. A half is moved in one step, which takes 50 ms at most. */
export const keepBytesFloor = 64 * 1024
export const keepBytesLimit = 64 * 1024 * 1024
/** JSON lines and stack traces are longer than the original's 1 KiB. */
export const maxLineBytesDefault = 16 * 1024
export const maxLineBytesLimit = 1024 * 1024
/** Smallest -max-bytes: one entry of the smallest kind must fit many times over. */
export const maxBytesFloor = 64 * 1024

// ---- Query socket ----------------------------------------------------------------------------
export const queryModeDump = 0
export const queryModeFollow = 1
export const queryModeDumpFollow = 2
/** Longest request line of the extended protocol. */
export const requestBytesMax = 64 * 1024
/** A client that has not sent its request by then is dropped. */
export const requestMs = 5000
/** Comparisons that the globs of a request may take for one source's name: a millisecond or two. */
export const globStepsMax = 400_000
/** Query clients served at the same time. */
export const queryClientsMax = 512
/** Those of one user. */
export const queryClientsPerUserMax = 256
/** Of all, those that only root can use. */
export const queryClientsOfRoot = 16
/** Beside them: clients whose user the intake has not named yet. As many may wait to be accepted (listen(2)). */
export const queryClientsUnknownMax = 512
/** Clients that are sent why they are refused. All others are disconnected without a word. */
export const queryClientsRefusedMax = 64
/** A reader that takes nothing of what was sent to it for so long is dropped; ours comes back by cursor. */
export const readerStallMs = 300_000
/** Bytes that the kernel may hold for a reader that does not read (SO_SNDBUF; the kernel counts double). */
export const querySendBytes = 32 * 1024
export const queryProtocolVersion = 1
