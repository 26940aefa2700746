import CCurl
import Synchronization

/// One curl handle and with it one connection.
///
/// `@unchecked Sendable`: a handle is used by one transfer at a time. `HandlePool` gives it to the transfer that takes
/// it and to no other before that transfer puts it back; libcurl allows a handle to move between threads in this way.
final class EasyHandle: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    fileprivate init?() {
        guard let raw = curl_easy_init() else { return nil }
        self.raw = raw
    }

    deinit { curl_easy_cleanup(raw) }
}

/// Idle handles by the origin that they are connected to; the one used last is taken first.
final class HandlePool: Sendable {
    private struct Idle {
        let origin: String
        let handle: EasyHandle
    }

    /// `curl_global_init` must run once, before any handle.
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private let idle = Mutex<[Idle]>([])
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    func take(_ origin: String) throws(HTTPError) -> EasyHandle {
        let known = idle.withLock { idle in
            idle.lastIndex { $0.origin == origin }.map { idle.remove(at: $0).handle }
        }
        if let known { return known }
        guard Self.isReady, let handle = EasyHandle() else {
            throw HTTPError(.other, "libcurl cannot be used", cause: "it gives no handle")
        }
        return handle
    }

    func put(_ handle: EasyHandle, _ origin: String) {
        // Options hold pointers into the transfer that is over; connections and sessions survive a reset.
        curl_easy_reset(handle.raw)
        let dropped: EasyHandle? = idle.withLock { idle in
            idle.append(Idle(origin: origin, handle: handle))
            return idle.count > capacity ? idle.removeFirst().handle : nil
        }
        // Closing a connection may wait for the peer: after the lock.
        _ = consume dropped
    }
}
