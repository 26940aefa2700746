import FoundationEssentials
import Glibc

/// What a process is told about the cloud that it runs in: variables, files, and what the machine's firmware says.
package struct CloudEnvironment: Sendable {
    private let variable: @Sendable (String) -> String?
    /// The vendor and product of the machine: metadata services are only asked where there is one.
    let machine: String

    /// Of this process.
    package static var process: CloudEnvironment {
        let names = ["sys_vendor", "product_name", "chassis_asset_tag"]
        let machine = names.compactMap { try? readFile("/sys/class/dmi/id/\($0)", limit: 4096) }
        return CloudEnvironment(machine: machine.joined(separator: "\n")) { name in
            getenv(name).map { String(cString: $0) }
        }
    }

    package init(_ variables: [String: String], machine: String = "") {
        self.init(machine: machine) { variables[$0] }
    }

    private init(machine: String, variable: @escaping @Sendable (String) -> String?) {
        self.machine = machine
        self.variable = variable
    }

    /// An empty variable is none.
    package subscript(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }

    static func readFile(_ path: String, limit: Int = 1 << 20) throws(CloudError) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw CloudError(
                "a file of the identity cannot be read", place: path, cause: String(cString: strerror(errno)))
        }
        defer { close(file) }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(file, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0, content.count + count <= limit else {
                throw CloudError("a file of the identity cannot be read", place: path)
            }
            if count == 0 { break }
            content += piece[..<count]
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Without the blank space that editors and secrets have around it.
    package static func trimmed(_ text: String) -> String {
        let isBlank = { (character: Character) in character.isWhitespace || character.isNewline }
        return String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
