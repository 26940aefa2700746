import FileSystem
import Glibc
import Sandbox

/// Whether a directory can be the state directory, and whether there is room.
package struct StateDirectoryExamination: Sendable {
    /// What its file system says.
    package struct Room: Sendable, Equatable {
        package var freeBytes: Int64
        /// `nil` where the file system has no fixed number.
        package var freeInodes: Int64?
        package var forbidsPrograms: Bool
        package var isInMemory: Bool

        package init(freeBytes: Int64, freeInodes: Int64?, forbidsPrograms: Bool = false, isInMemory: Bool = false) {
            self.freeBytes = freeBytes
            self.freeInodes = freeInodes
            self.forbidsPrograms = forbidsPrograms
            self.isInMemory = isInMemory
        }
    }

    /// A base image and its layers fit in.
    private static let wantedBytes: Int64 = 2 << 30
    private static let wantedInodes: Int64 = 50_000

    package static func findings(_ path: String) -> [DoctorFinding] {
        if let problem = StateDirectory.problem(with: path) { return [DoctorFinding(.stateDirectory, problem)] }
        do throws(StateDirectoryError) {
            _ = try StateDirectory(path)
        } catch {
            return [DoctorFinding(.stateDirectory, error)]
        }
        let written = DoctorFinding(.stateDirectory, .ok, "\(path) can be written")
        return [written] + (room(at: path).map { findings($0, path) } ?? [])
    }

    package static func findings(_ room: Room, _ path: String) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        if room.forbidsPrograms {
            findings.append(
                DoctorFinding(
                    .stateExecutable, .error, "\(path) is mounted noexec, so RUN steps cannot start their programs",
                    hint: "use a volume without noexec: an emptyDir without 'medium: Memory', or a local disk"))
        }
        let gigabytes = "\(room.freeBytes >> 30) GiB"
        let isTight = room.freeBytes < wantedBytes
        let hasFewInodes = room.freeInodes.map { $0 < wantedInodes } ?? false
        if isTight || hasFewInodes {
            findings.append(
                DoctorFinding(
                    .stateSpace, .warning,
                    isTight
                        ? "\(room.freeBytes >> 20) MiB are free in \(path)"
                        : "\(room.freeInodes ?? 0) files can still be made in \(path)",
                    hint: isTight
                        ? "use a larger volume; a base image and its build need 2 GiB"
                        : "use a file system with more inodes; a base image has tens of thousands of files"))
        } else {
            findings.append(DoctorFinding(.stateSpace, .ok, "\(gigabytes) are free in \(path)"))
        }
        if room.isInMemory {
            findings.append(
                DoctorFinding(
                    .stateSpace, .warning, "\(path) is in memory: what is in it counts as memory of the container",
                    hint: "use an emptyDir without 'medium: Memory'"))
        }
        return findings
    }

    private static func room(at path: String) -> Room? {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return nil }
        let mount = MountPoint.of(resolved(path))
        let bytes = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
        return Room(
            freeBytes: bytes.overflow ? .max : Int64(clamping: bytes.partialValue),
            freeInodes: space.f_files == 0 ? nil : Int64(clamping: space.f_favail),
            forbidsPrograms: mount?.options.contains("noexec") ?? false, isInMemory: mount?.type == "tmpfs")
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
