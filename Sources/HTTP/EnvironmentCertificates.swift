import FileSystem
import Glibc

/// Certificates that the environment names beside the system's, as programs written in Go read it: `SSL_CERT_FILE` is a PEM file,
/// `SSL_CERT_DIR` are directories of such files, separated by colons.
package enum EnvironmentCertificates {
    /// The certificates of both variables, each once; read when first asked for.
    package static var certificates: [UInt8] { loaded.certificates }

    /// Files and directories that the variables name and that cannot be read.
    package static var unreadable: [String] { loaded.unreadable }

    /// The system's certificates and those of the variables; empty when the variables name none.
    static var bundle: [UInt8] { loaded.bundle }

    private static let loaded = Loaded(
        file: getenv("SSL_CERT_FILE").map { String(cString: $0) } ?? "",
        directories: getenv("SSL_CERT_DIR").map { String(cString: $0) } ?? "")

    private static let fileLimit = 16 << 20
    private static let countLimit = 10_000

    private struct Loaded {
        var certificates: [UInt8] = []
        var unreadable: [String] = []
        var bundle: [UInt8] = []
        private var known: Set<[UInt8]> = []

        init(file: String, directories: String) {
            if !file.isEmpty, !SystemCertificates.bundles.contains(file) {
                if let bytes = EnvironmentCertificates.read(file) { add(bytes) } else { unreadable.append(file) }
            }
            for directory in directories.split(separator: ":").map(String.init) where directory != "/etc/ssl/certs" {
                guard let names = EnvironmentCertificates.names(in: directory) else {
                    unreadable.append(directory)
                    continue
                }
                for name in names {
                    if let bytes = EnvironmentCertificates.read(directory + "/" + name) { add(bytes) }
                }
            }
            guard !certificates.isEmpty else { return }
            bundle = SystemCertificates.bundles.lazy.compactMap(EnvironmentCertificates.read).first ?? []
            bundle += [UInt8(ascii: "\n")] + certificates
        }

        /// Only certificates: such files may hold comments and keys too.
        private mutating func add(_ bytes: [UInt8]) {
            let begin = Array("-----BEGIN CERTIFICATE-----".utf8)
            let end = Array("-----END CERTIFICATE-----".utf8)
            var block: [UInt8]?
            for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
                if line.elementsEqual(begin) { block = [] }
                guard block != nil else { continue }
                block?.append(contentsOf: line)
                block?.append(0x0a)
                guard line.elementsEqual(end), let whole = block else { continue }
                block = nil
                guard known.count < countLimit, known.insert(whole).inserted else { continue }
                certificates += whole
            }
        }
    }

    /// A variable may name anything: a pipe that nobody writes to is empty.
    private static func read(_ path: String) -> [UInt8]? {
        try? FileHandle(path: path, flags: O_RDONLY | O_NONBLOCK).readAll(limit: fileLimit)
    }

    private static func names(in path: String) -> [String]? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < countLimit, let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }
}
