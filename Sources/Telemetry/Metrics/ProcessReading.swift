import Glibc

/// What the kernel says of this process, for the metrics that every Prometheus client library has.
package struct ProcessReading: Sendable {
    /// User and system time of all threads, in seconds.
    package let cpuSeconds: Double
    package let residentBytes: Double
    /// Open file descriptors; `nil` where /proc does not say.
    package let openDescriptors: Int?
    /// How many it may have.
    package let descriptorLimit: Double

    package init() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        cpuSeconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        residentBytes = Double(Self.residentPages() * sysconf(Int32(_SC_PAGESIZE)))
        openDescriptors = Self.countDescriptors()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        descriptorLimit = limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    /// The second number of /proc/self/statm.
    private static func residentPages() -> Int {
        guard let file = fopen("/proc/self/statm", "re") else { return 0 }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 256)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return 0 }
        let line = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let numbers = line.split(separator: " ")
        return numbers.count > 1 ? Int(numbers[1]) ?? 0 : 0
    }

    private static func countDescriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            // 46 is a dot: `.` and `..`. One of the others is this walk's own.
            if entry.pointee.d_name.0 != 46 { count += 1 }
        }
        return max(0, count - 1)
    }
}
