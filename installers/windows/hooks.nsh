; What the installer does beyond copying files. It is installed for this user only: no administrator is asked.
;
; Files cannot be replaced while they run, and quitting is how Lull hands its work back: the worker is told to
; end first, and only then ended.

!define LULL_RUN_KEY "Software\Microsoft\Windows\CurrentVersion\Run"
!define LULL_RUN_NAME "Lull"

; Ends `_program` of this user by force, if it still runs.
!macro LULL_KILL _program
  nsis_tauri_utils::KillProcessCurrentUser "${_program}"
  Pop $0
!macroend

; `_id` keeps the labels of the installer and the uninstaller apart.
!macro LULL_END_WORKER _id
  ; The running app quits, and ends the worker, which hands its work back.
  IfFileExists "$INSTDIR\lull.exe" 0 lull_ended_${_id}
  nsExec::Exec '"$INSTDIR\lull.exe" --quit'
  Pop $0
  ; The app gives the worker ten seconds; a quarter of a second is not noticed.
  StrCpy $1 0
  lull_wait_${_id}:
    nsis_tauri_utils::FindProcessCurrentUser "lull.exe"
    Pop $0
    StrCmp $0 "0" 0 lull_ended_${_id}
    IntOp $1 $1 + 1
    IntCmp $1 48 lull_ended_${_id}
    Sleep 250
    Goto lull_wait_${_id}
  lull_ended_${_id}:
  ; A worker that was started by hand, and what a crash has left.
  !insertmacro LULL_KILL "lull-worker.exe"
  !insertmacro LULL_KILL "lull-runtime-gpu.exe"
  !insertmacro LULL_KILL "lull-network.exe"
!macroend

!macro NSIS_HOOK_PREINSTALL
  !insertmacro LULL_END_WORKER "install"
!macroend

!macro NSIS_HOOK_POSTINSTALL
  ; Starts with the session, in the tray. The app's settings turn this off by removing the same value; an update
  ; must not turn it on again, so that it is written on a first installation only.
  ReadRegStr $0 HKCU "Software\com.lull.desktop" "Installed"
  StrCmp $0 "1" lull_known
    WriteRegStr HKCU "Software\com.lull.desktop" "Installed" "1"
    WriteRegStr HKCU "${LULL_RUN_KEY}" "${LULL_RUN_NAME}" '"$INSTDIR\lull.exe" --minimized'
  lull_known:
!macroend

!macro NSIS_HOOK_PREUNINSTALL
  !insertmacro LULL_END_WORKER "uninstall"
!macroend

!macro NSIS_HOOK_POSTUNINSTALL
  ; An update uninstalls first; it keeps what the person has chosen.
  ${If} $UpdateMode <> 1
    DeleteRegValue HKCU "${LULL_RUN_KEY}" "${LULL_RUN_NAME}"
    DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run" "${LULL_RUN_NAME}"
    DeleteRegKey HKCU "Software\com.lull.desktop"
  ${EndIf}
  ; The device key and the receipts stay: they are money. The uninstaller's own check box deletes the app's data.
!macroend
