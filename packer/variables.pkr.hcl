variable "base" {
  type        = string
  description = "Path of the base disk, a raw image. It is only read."
}

variable "disk_size" {
  type        = string
  description = "Size of the base disk, such as 4096M."
}

variable "payload" {
  type        = string
  description = "Path of a read-only disk labelled `imagebuild` with the agent, the policy and the staged binaries."
}

variable "output" {
  type        = string
  description = "Folder that the image is written to; it must not exist."
}

variable "ssh_key" {
  type        = string
  description = "Path of the private key, made for this build alone, that opens the build machine."
}

variable "smbios" {
  type        = string
  description = "Path of the SMBIOS string that hands the build machine the public half of the key."
}

variable "firmware" {
  type        = string
  description = "Path of the UEFI firmware."
}

variable "serial" {
  type        = string
  description = "Path of the file that the serial console is written to."
}

variable "accelerator" {
  type        = string
  description = "Value of QEMU's -accel."
}

variable "cpu" {
  type        = string
  description = "Value of QEMU's -cpu."
}

variable "cpus" {
  type        = string
  description = "Processors of the build machine."
}

variable "memory" {
  type        = string
  description = "Memory of the build machine in MiB."
}

variable "scripts" {
  type        = list(string)
  description = "Provisioning scripts, in order."
}
