import HTTP
import Text

/// How much of a pod's log was read: the time of the last line, and how many lines of that time there were. Lines may share one.
package struct PodLogPosition: Sendable, Equatable {
    fileprivate var time = ""
    fileprivate var count = 0

    package init() {}
}

extension ClusterClient {
    /// Reads the log of a container from where it was left, line by line, until the container ends (`isFollowed`) or the log does.
    /// What was read counts in `position` line by line, so that after a cut connection no line comes twice and none is lost.
    ///
    /// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
    ///
    /// - Parameter path: of the pod.
    package func log(
        of path: ResourcePath, container: String, from position: inout PodLogPosition, isFollowed: Bool,
        _ take: ([UInt8]) -> Void
    ) async throws(ClusterError) {
        var request = ClusterRequest("GET", path, subresource: "log")
        request.accept = "*/*"
        request.isStreamed = true
        request.query = [("container", container), ("timestamps", "true")]
        if isFollowed { request.query.append(("follow", "true")) }
        // Whole seconds: what was read of the second is passed over.
        if let seconds = UTCDate.seconds(rfc3339: position.time) {
            request.query.append(("sinceTime", UTCDate(secondsSince1970: seconds).rfc3339))
        }
        // A step may be silent for as long as it likes; a dead connection ends by TCP's keep-alive, or here.
        request.stallTimeout = isFollowed ? Self.silenceLimit : nil
        let lines = WatchLines()
        let sending = Task { [request] () -> ClusterError? in
            defer { lines.end() }
            do throws(ClusterError) {
                _ = try await self.send(request, into: lines)
                return nil
            } catch {
                return error
            }
        }
        defer { sending.cancel() }
        var resume = LogResume(position)
        while let line = await lines.next() {
            if let text = resume.new(line) { take(text) }
            position = resume.position
        }
        if Task.isCancelled { sending.cancel() }
        if let error = await sending.value, !lines.overflowed { throw error }
    }

    /// In seconds. Then the log is asked for again from where it was left.
    private static let silenceLimit = 120
}

/// Passes over what was read before.
struct LogResume {
    private(set) var position: PodLogPosition
    private let start: PodLogPosition
    private var seen = 0

    init(_ position: PodLogPosition) {
        self.position = position
        start = position
    }

    /// - Parameter line: `TIME TEXT`.
    /// - Returns: the text, without the time; `nil` where it was read before.
    mutating func new(_ line: [UInt8]) -> [UInt8]? {
        guard let blank = line.firstIndex(of: 0x20),
            case let time = String(decoding: line[..<blank], as: UTF8.self), UTCDate.seconds(rfc3339: time) != nil
        else { return line }
        let text = Array(line[(blank + 1)...])
        let order = Self.order(time, start.time)
        if order < 0 { return nil }
        if order == 0 {
            seen += 1
            if seen <= start.count { return nil }
        }
        switch Self.order(time, position.time) {
        case 0: position.count += 1
        case 1:
            position.time = time
            position.count = 1
        // Of the container's other stream; the log is not always in the order of its times.
        default: break
        }
        return text
    }

    /// Compares times of one form, whose fractions have any number of digits: -1, 0 or 1.
    private static func order(_ left: String, _ right: String) -> Int {
        let (one, two) = (parts(left), parts(right))
        if one.seconds != two.seconds { return one.seconds < two.seconds ? -1 : 1 }
        return one.fraction == two.fraction ? 0 : one.fraction < two.fraction ? -1 : 1
    }

    private static func parts(_ time: String) -> (seconds: Int64, fraction: String) {
        let fraction = time.split(separator: ".").dropFirst().first?.prefix { $0.isASCII && $0.isNumber } ?? ""
        var digits = String(fraction)
        while digits.hasSuffix("0") { digits.removeLast() }
        return (UTCDate.seconds(rfc3339: time) ?? Int64.min, digits)
    }
}
