import Glibc

/// What the pod's downward API says: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
package struct PodEnvironment: Sendable, Equatable {
    /// `POD_NAME`
    package var name: String?
    /// `POD_NAMESPACE`
    package var namespace: String?
    /// `POD_IP`
    package var address: String?

    package init(name: String? = nil, namespace: String? = nil, address: String? = nil) {
        self.name = name
        self.namespace = namespace
        self.address = address
    }

    /// The variables of this process.
    package static var current: PodEnvironment {
        PodEnvironment(name: variable("POD_NAME"), namespace: variable("POD_NAMESPACE"), address: variable("POD_IP"))
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A name for this process that no other one ever has: a container that starts again in its pod is another candidate.
    func identity() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        let host = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let number = String(UInt64.random(in: .min ... .max), radix: 36)
        return "\(name ?? host)_\(number)"
    }
}
